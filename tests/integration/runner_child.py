# SPDX-License-Identifier: Apache-2.0
# A stdio server of the tests, legacy era: tools that echo, sleep, crash, flood,
# ask, talk rubbish and tell what they see. Run as python3 -c TEXT [mode].
import json, os, sys, threading, time

lock = threading.Lock()
mode = sys.argv[1] if len(sys.argv) > 1 else ""
born = time.time_ns() % 1000000007
cancelled = []
answers = {}
arrived = threading.Condition()


def say(message):
    line = json.dumps(message) + "\n"
    with lock:
        sys.stdout.write(line)
        sys.stdout.flush()


def result(id, text):
    say({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": text}]}})


def notify(method, params):
    say({"jsonrpc": "2.0", "method": method, "params": params})


def ask(method, params):
    id = "q%d" % time.monotonic_ns()
    say({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    with arrived:
        while id not in answers:
            arrived.wait(20)
    return answers.pop(id)


def call(id, name, args, token):
    n = int(args.get("n", 0))
    if name == "echo":
        result(id, args.get("text", ""))
    elif name == "sleep":
        time.sleep(n / 1000)
        result(id, "slept")
    elif name == "crash":
        os._exit(3)
    elif name == "flood":
        for i in range(n):
            notify("notifications/progress", {"progressToken": token, "progress": i + 1})
        result(id, "flooded")
    elif name == "big":
        result(id, "x" * n)
    elif name == "rubbish":
        sys.stdout.write("Hello, I am no JSON\n{]\n\n\x00\xff\n")
        sys.stdout.flush()
        result(id, "after it")
    elif name == "stderr":
        for _ in range(n):
            sys.stderr.write("e" * 1023 + "\n")
        sys.stderr.flush()
        result(id, "printed")
    elif name == "ask":
        result(id, json.dumps(ask("elicitation/create", {"message": "who?"})["result"]))
    elif name == "env":
        result(id, json.dumps(dict(os.environ)))
    elif name == "facts":
        fds = len(os.listdir("/proc/self/fd")) - 1
        result(id, json.dumps({"born": born, "uid": os.getuid(),
                               "cwd": os.getcwd(), "fds": fds}))
    elif name == "cancelled":
        result(id, json.dumps(cancelled))
    elif name == "changed":
        notify("notifications/tools/list_changed", {})
        result(id, "told")


def handle(message):
    id, method, params = message.get("id"), message.get("method"), message.get("params") or {}
    if method is None:
        with arrived:
            answers[id] = message
            arrived.notify_all()
    elif method == "initialize":
        say({"jsonrpc": "2.0", "id": id, "result": {
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "child", "version": "1.0.0"}, "instructions": "Be brief."}})
    elif method == "ping":
        say({"jsonrpc": "2.0", "id": id, "result": {}})
    elif method == "tools/list":
        say({"jsonrpc": "2.0", "id": id, "result": {"tools": [
            {"name": "echo", "description": "Says it again.", "inputSchema": {"type": "object"}}]}})
    elif method == "tools/call":
        token = (params.get("_meta") or {}).get("progressToken")
        threading.Thread(target=call, args=(id, params["name"], params.get("arguments") or {}, token),
                         daemon=True).start()
    elif method == "notifications/cancelled":
        cancelled.append(params.get("requestId"))
    elif id is not None:
        say({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no such method"}})


if mode == "die":
    sys.stderr.write("cannot find my module\n")
    sys.exit(7)
while mode == "hang":  # says nothing at all, until it is killed; nobody waits for the second
    time.sleep(1)
if mode == "once":  # the first start of a home folder fails
    if not os.path.exists("started"):
        open("started", "w").close()
        sys.exit(9)
for line in sys.stdin:
    handle(json.loads(line))
