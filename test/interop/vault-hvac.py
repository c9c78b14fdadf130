"""The life of a scope with hvac, the Python client of Vault.

usage: vault-hvac.py ADDRESS TOKEN
"""
import sys

import hvac
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest

address, token = sys.argv[1:]
passed = failed = 0


def check(name, good, what=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("FAILED", name, what)


def refused(name, error, action):
    try:
        check(name, False, action())
    except error:
        check(name, True)


client = hvac.Client(url=address, token=token)
check("the token is good", client.is_authenticated())
check("it is initialized", client.sys.is_initialized())
check("it is not sealed", not client.sys.is_sealed())
check("a wrong token is not", not hvac.Client(url=address, token="wrong").is_authenticated())
client.sys.enable_secrets_engine("kmip", path="py", description="of hvac")
engines = client.sys.list_mounted_secrets_engines()
check("the engine is listed", engines["data"]["py/"]["description"] == "of hvac", engines)
refused("enabled once", InvalidRequest, lambda: client.sys.enable_secrets_engine("kmip", path="py"))
refused("no configuration yet", InvalidPath, lambda: client.adapter.get("/v1/py/config"))
client.write_data("py/config", data={"server_hostnames": "localhost,kms"})
config = client.read("py/config")
check("configuration", config["data"]["server_hostnames"] == ["localhost", "kms"], config)
client.write_data("py/scope/finance", data={})
client.write_data("py/scope/finance/role/app", data={"operation_all": True, "tls_client_ttl": "1h"})
role = client.read("py/scope/finance/role/app")
check("role", role["data"]["operation_all"] is True and role["data"]["tls_client_ttl"] == 3600, role)
check("list, by the verb", client.list("py/scope")["data"]["keys"] == ["finance"])
made = client.write_data("py/scope/finance/role/app/credential/generate", data={"format": "pem"})
serial = made["data"]["serial_number"]
check("credential", made["data"]["private_key"].startswith("-----BEGIN EC PRIVATE KEY-----"))
check("serials", client.list("py/scope/finance/role/app/credential")["data"]["keys"] == [serial])
found = client.adapter.get(f"/v1/py/scope/finance/role/app/credential/lookup?serial_number={serial}&format=pem")
found = found if isinstance(found, dict) else found.json()
check("lookup", found["data"]["certificate"] == made["data"]["certificate"], found)
client.write_data("py/scope/finance/role/app/credential/revoke", data={"serial_number": serial})
check("no serials", client.list("py/scope/finance/role/app/credential") is None)
stranger = hvac.Client(url=address, token=client.auth.token.create(policies=["default"])["auth"]["client_token"])
refused("who has no policy for it sees nothing", Forbidden, lambda: stranger.list("py/scope"))
client.delete("py/scope/finance/role/app")
client.delete("py/scope/finance")
check("no scopes", client.list("py/scope") is None)
client.sys.disable_secrets_engine("py")
check("no engine", "py/" not in client.sys.list_mounted_secrets_engines()["data"])
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
