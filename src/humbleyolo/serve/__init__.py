"""A page on this machine to try a model: its web application, server and limits, and the page itself."""
