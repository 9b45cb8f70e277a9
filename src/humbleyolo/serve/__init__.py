"""A page on this machine to play with a model: `app.py` answers, `page.html`, `page.js` and `page.css` are shown."""
