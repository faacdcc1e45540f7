# aims at: secrets
# cell: helper
# Sends what it knows to another machine, to this machine, and to sockets without a file.
import socket
import urllib.request

for family, address in (
    (socket.AF_INET, ("127.0.0.1", {port})),
    (socket.AF_INET, ("192.0.2.1", 80)),
    (socket.AF_INET6, ("::1", {port})),
    (socket.AF_UNIX, "\0{abstract}"),
    (socket.AF_UNIX, "{course}/socket"),
    (40, (2, {port})),
):
    try:
        with socket.socket(family, socket.SOCK_STREAM) as line:
            line.settimeout(0.5)
            line.connect(address)
            line.sendall(b"leaked")
            print("connected", address)
    except Exception as problem:
        print(type(problem).__name__)
try:
    urllib.request.urlopen("http://127.0.0.1:{port}/", timeout=0.5)
    print("connected")
except Exception as problem:
    print(type(problem).__name__)
