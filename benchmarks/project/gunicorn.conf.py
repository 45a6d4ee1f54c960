"""gunicorn with one worker of threads, and nothing in the home directory."""

worker_class = "gthread"
workers = 1
threads = 4
keepalive = 60
# The default, 30 s, kills a worker whose middleware looks at 100,000 files before it can start.
timeout = 600
control_socket_disable = True  # 25.1 and later; earlier releases ignore the name
