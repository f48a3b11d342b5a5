# Azure's own client: reads secrets of a vault, by whoever it is in this environment. Prints a line
# of JSON each. With `managing` it does what an administrator does.
import json, sys
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

url, *names = sys.argv[1:]
client = SecretClient(url, DefaultAzureCredential())
if names != ["managing"]:
    for name in names:
        print(json.dumps(client.get_secret(name).value))
    sys.exit()
first = client.set_secret("a-secret", "first", content_type="text/plain", tags={"a": "b"})
client.set_secret("A-Secret", "second")
assert client.get_secret("a-secret").value == "second"
assert client.get_secret("a-secret", first.properties.version).properties.tags == {"a": "b"}
for number in range(30):
    client.set_secret(f"n{number}", "x")
assert len(list(client.list_properties_of_secrets())) == 31
client.update_secret_properties("a-secret", enabled=False)
for fails, code in [
    (lambda: client.get_secret("a-secret"), 403),
    (lambda: client.get_secret("none"), 404),
    (lambda: client.set_secret("large", "x" * 25601), 400),
]:
    try:
        fails()
        raise SystemExit("it succeeds")
    except Exception as error:
        assert error.status_code == code, error
client.begin_delete_secret("n1").wait()
try:
    client.set_secret("n1", "x")
    raise SystemExit("a deleted name is free")
except Exception as error:
    assert error.status_code == 409, error
client.begin_recover_deleted_secret("n1").wait()
client.begin_delete_secret("n1").wait()
client.purge_deleted_secret("n1")
client.set_secret("n1", "x")
print("fine")
