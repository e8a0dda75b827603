# SPDX-License-Identifier: Apache-2.0
"""Serves repositories over https with git's own http-backend, for test_gamify_clone.

    git_https.py ROOT CERT KEY LOG

Prints its port, then writes a line to LOG per request. The first part of a path
says how it behaves: good, slow (the transfer takes 3 s), moved (redirects to
good), secret (401), broken (ends within the transfer)."""

import http.server
import os
import ssl
import subprocess
import sys
import time

ROOT, CERT, KEY, LOG = sys.argv[1:5]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        with open(LOG, "a") as log:
            log.write("%s %s\n" % (self.command, self.path))

    def refuse(self, code, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def serve(self):
        path, _, query = self.path.partition("?")
        kind, _, rest = path.lstrip("/").partition("/")
        if kind == "moved":
            return self.refuse(302, Location="/good/" + rest + ("?" + query if query else ""))
        if kind == "secret":
            return self.refuse(401, WWW_Authenticate='Basic realm="x"')
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        fetching = self.command == "POST" and b"command=fetch" in body
        if kind == "slow" and fetching:
            time.sleep(3)  # longer than the call waits, on purpose
        answer = self.backend("/" + rest, query, body)
        head, _, payload = answer.partition(b"\r\n\r\n")
        status = 200
        lines = []
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            else:
                lines.append((name, value))
        self.send_response(status)
        for name, value in lines:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if kind == "broken" and fetching:
            self.wfile.write(payload[: len(payload) // 2])
            self.close_connection = True
            return
        self.wfile.write(payload)

    def backend(self, path, query, body):
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": ROOT,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": os.path.join(ROOT, "..", "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE)
        return done.stdout

    do_GET = serve
    do_POST = serve


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERT, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
