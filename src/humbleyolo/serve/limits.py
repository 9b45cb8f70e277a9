"""Limits of the page: sizes of uploads and images, connections and threads."""

UPLOAD_MIB = 20  # largest upload, where the command line gives no other
MOST_UPLOAD_MIB = 1024  # largest that the command line can give
IMAGE_PIXELS = 20_000_000  # largest image; a page shows no more
THREADS = 8  # answer requests; further requests wait
CONNECTIONS = 200
IDLE_S = 10  # a connection that sends nothing for so long is closed, so that half an upload locks nobody out
BYTES_PER_S = 16_384  # an upload that comes slower is ended, after that time
