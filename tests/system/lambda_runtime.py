"""One invocation of a Lambda function, as AWS runs it: the Runtime API on loopback, the function's own
`bootstrap` beside it.

Used as the entry point of the image in which moto runs Lambda functions, and by itself with the function's
directory in LAMBDA_TASK_ROOT: the arguments are the handler and the event, the function's log goes to standard error, and its answer is the last line of standard
output. The exit status is 1 when the function failed.
"""

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EVENT = sys.argv[2] if len(sys.argv) > 2 else "{}"
SECONDS = int(os.environ.get("AWS_LAMBDA_FUNCTION_TIMEOUT", "60"))
BOOTSTRAP = os.path.join(os.environ.get("LAMBDA_TASK_ROOT") or "/var/task", "bootstrap")
REQUEST = str(uuid.uuid4())
PREFIX = "/2018-06-01/runtime/"

outcome = {}
handed_out = threading.Event()
done = threading.Event()


class RuntimeApi(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path != PREFIX + "invocation/next":
            return self.answer(404, b"{}")
        if handed_out.is_set():
            done.wait()
            time.sleep(3600)  # the function waits for an event that never comes, and is stopped
        handed_out.set()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", REQUEST)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + SECONDS) * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn",
                         "arn:aws:lambda:us-east-1:123456789012:function:" + os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "test"))
        self.send_header("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
        body = EVENT.encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.read_body()
        self.answer(202, b"{}")
        if self.path.endswith("/response"):
            outcome.update(ok=True, body=body)
        elif self.path.endswith("/error"):
            outcome.update(ok=False, body=body)
        done.set()

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *about):
        """A function that is stopped breaks its connection off: nothing for its log."""
        if not done.is_set():
            super().handle_error(*about)


def main():
    server = Server(("127.0.0.1", 0), RuntimeApi)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = os.environ | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}"}
    function = subprocess.Popen([BOOTSTRAP], env=environment, stdout=sys.stderr)
    deadline = time.monotonic() + SECONDS
    while not done.is_set() and function.poll() is None and time.monotonic() < deadline:
        done.wait(0.05)
    if function.poll() is None:
        function.kill()
    function.wait()
    sys.stderr.flush()
    if "body" in outcome:
        body = json.loads(outcome["body"] or b"null")
    elif time.monotonic() >= deadline:
        body = {"errorType": "Timeout", "errorMessage": f"no answer within {SECONDS} seconds"}
    else:
        body = {"errorType": "Runtime.ExitError", "errorMessage": f"exit status {function.returncode}"}
    print(json.dumps(body), flush=True)
    os._exit(0 if outcome.get("ok") else 1)


main()
