# SPDX-License-Identifier: Apache-2.0
"""A holdfastd that enforces nothing: the methods Status, Stage, Reload, Confirm and Rollback of io.holdfast.Control for
any number of machines in one process, each with a directory of policy files. Its states are those of docs/daemon.md."""

import asyncio
import json
import os
import threading

INTERFACE = "io.holdfast.Control."


class Machine:
    def __init__(self, policy_dir, sealed=False):
        self.policy_dir = policy_dir
        self.sealed = sealed
        self.generation = 1
        self.live = self.confirmed = self.read()
        self.staging = False
        self.deadline = None
        self.calls = []
        self.refuses = None  # a text: Reload fails with these diagnostics

    def read(self):
        files = {}
        for folder, _, names in os.walk(self.policy_dir):
            for name in names:
                if name.endswith(".toml"):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as file:
                        files[os.path.relpath(path, self.policy_dir)] = file.read()
        return files

    def make_live(self, files):
        self.live = files
        self.generation += 1

    def go_back(self):
        self.deadline = None
        self.make_live(self.confirmed)

    def answer(self, method, parameters, loop):
        self.calls.append(method)
        if self.sealed and method in ("Reload", "Rollback"):
            return {"error": INTERFACE + "Sealed", "parameters": {}}
        if method == "Status":
            reply = {"generation": self.generation, "sealed": self.sealed, "staging": self.staging, "profiles": [],
                     "bad_files": [], "totals": {}, "version": "0", "previous": 1, "adopted": False}
            if self.deadline:
                reply["confirm_ms"] = 1000
            return {"parameters": reply}
        if method == "Stage":
            self.staging = True
            return {"parameters": {}}
        if method == "Reload":
            if self.refuses:
                return {"error": INTERFACE + "PolicyError", "parameters": {"diagnostics": self.refuses}}
            files, confirm_ms = self.read(), parameters.get("confirm_ms")
            if confirm_ms and files == self.live:
                return {"parameters": {"generation": self.generation, "changed": False}}
            self.make_live(files)
            if confirm_ms:
                if self.deadline:
                    self.deadline.cancel()
                self.deadline = loop.call_later(confirm_ms / 1000, self.go_back)
                return {"parameters": {"generation": self.generation, "changed": True, "confirm_ms": confirm_ms,
                                       "previous": self.generation - 1}}
            self.confirmed, self.staging = files, False
            return {"parameters": {"generation": self.generation, "changed": True}}
        if method in ("Confirm", "Rollback"):
            if not self.deadline:
                return {"error": INTERFACE + "Failed", "parameters": {"message": "nothing is pending"}}
            self.deadline.cancel()
            if method == "Rollback":
                self.go_back()
                return {"parameters": {"generation": self.generation, "changed": True}}
            self.deadline, self.confirmed, self.staging = None, self.live, False
            return {"parameters": {}}
        return {"error": "org.varlink.service.MethodNotFound", "parameters": {"method": method}}


class Server:
    """Answers at a socket for each machine, in a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def add(self, path, machine):
        async def serve(reader, writer):
            try:
                while True:
                    call = json.loads((await reader.readuntil(b"\0"))[:-1])
                    method = call["method"].rpartition(".")[2]
                    reply = machine.answer(method, call.get("parameters", {}), self.loop)
                    writer.write(json.dumps(reply).encode() + b"\0")
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        asyncio.run_coroutine_threadsafe(asyncio.start_unix_server(serve, path), self.loop).result()
