"""Serves a GGUF file with llama.cpp's own HTTP server: serve_tiny.py FILE PORT."""

import sys
import time

from xllamacpp import CommonParams, Server

parameters = CommonParams()
parameters.model.path = sys.argv[1]
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[2])
# Two slots of 256 tokens each: small enough that a test can overflow them.
parameters.n_ctx, parameters.n_parallel, parameters.warmup = 512, 2, False
parameters.cpuparams.n_threads = 1
for name, value in (("use_jinja", True), ("ui", False), ("fit_params", False)):
    try:
        setattr(parameters, name, value)
    except AttributeError:
        pass
server = Server(parameters)
print("listening", server.listening_address, flush=True)
while True:
    time.sleep(3600)
