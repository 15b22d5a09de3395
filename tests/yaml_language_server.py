"""The YAML language server that editors use, spoken to as an editor does."""

import json
import os
import queue
import shutil
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTALL = "npm install --no-save --prefix . yaml-language-server, or name its script in GUARDRAILS_YAML_LANGUAGE_SERVER"
PATIENCE = 60  # seconds for one answer, after which the server is taken for dead


def server():
    """The server's script, None where there is none or no Node.js to run it."""
    named = os.environ.get("GUARDRAILS_YAML_LANGUAGE_SERVER")
    beside = ROOT / "node_modules" / ".bin" / "yaml-language-server"
    script = Path(named) if named else beside
    return script.resolve() if script.exists() and shutil.which("node") else None


@contextmanager
def opened(folder):
    """A running server with this folder as its workspace."""
    process = subprocess.Popen(["node", server(), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    editor = Editor(process, folder)
    try:
        yield editor
    finally:
        process.kill()
        process.stdin.close()
        process.wait()
        editor.reader.join()
        process.stdout.close()


class Editor:
    """What an editor does: opens files, is told what is wrong with them, asks what may stand at a place."""

    def __init__(self, process, folder):
        self._process = process
        self._number = 0
        self._come = queue.Queue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        root = {"uri": folder.as_uri(), "name": folder.name}
        markdown = {"documentationFormat": ["markdown", "plaintext"], "snippetSupport": True}
        abilities = {"textDocument": {"completion": {"completionItem": markdown}, "publishDiagnostics": {}}}
        asked = {"processId": None, "rootUri": root["uri"], "workspaceFolders": [root], "capabilities": abilities}
        self._ask("initialize", asked)
        self._send("initialized", {})
        # No catalogue of other people's schemas, and so no network.
        settings = {"yaml": {"schemaStore": {"enable": False}, "kubernetesCRDStore": {"enable": False}}}
        self._send("workspace/didChangeConfiguration", {"settings": settings})

    def diagnostics(self, file):
        """Open a file, and give what is wrong with it."""
        document = {"uri": file.as_uri(), "languageId": "yaml", "version": 1, "text": file.read_text("utf-8")}
        self._send("textDocument/didOpen", {"textDocument": document})
        while True:
            message = self._next()
            if (
                message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == document["uri"]
            ):
                return message["params"]["diagnostics"]

    def completions(self, file, line, column):
        """What may stand at a place of an opened file, by its label; lines and columns count from 0."""
        place = {"line": line, "character": column}
        answer = self._ask("textDocument/completion", {"textDocument": {"uri": file.as_uri()}, "position": place})
        return {item["label"]: item for item in answer["items"]}

    def _ask(self, method, params):
        self._number += 1
        self._send(method, params, id=self._number)
        while True:
            message = self._next()
            if message.get("id") == self._number and "method" not in message:
                return message["result"]

    def _next(self):
        """The next message; what the server asks of us is answered with nothing."""
        message = self._come.get(timeout=PATIENCE)
        if "method" in message and "id" in message:
            wanted = message["params"].get("items", []) if message["method"] == "workspace/configuration" else None
            self._write({"id": message["id"], "result": wanted and [None] * len(wanted)})
        return message

    def _send(self, method, params, **fields):
        self._write({"method": method, "params": params, **fields})

    def _write(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _read(self):
        output = self._process.stdout
        while header := output.readline():
            length = int(header.partition(b":")[2]) if header.lower().startswith(b"content-length") else 0
            while header.strip():
                header = output.readline()
                length = int(header.partition(b":")[2]) if header.lower().startswith(b"content-length") else length
            self._come.put(json.loads(output.read(length)))
