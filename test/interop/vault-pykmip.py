"""A PyKMIP client that makes a key, says so, and then gets it again and again over one connection until it is cut off.

usage: vault-pykmip.py PORT CERTIFICATE KEY CA
"""
import sys
import time

from kmip.core import enums
from kmip.pie.client import ProxyKmipClient

port, certificate, key, authority = sys.argv[1:]
client = ProxyKmipClient(
    hostname="127.0.0.1", port=int(port), cert=certificate, key=key, ca=authority, kmip_version=enums.KMIPVersion.KMIP_1_2
)
with client:
    made = client.create(enums.CryptographicAlgorithm.AES, 256)
    client.get(made)
    print("ready", flush=True)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            client.get(made)
        except Exception:
            print("cut", flush=True)
            break
        time.sleep(0.01)
