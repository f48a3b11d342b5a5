# Google's own client: who it is in this environment, asked for a secret at this address.
import json, os, sys
import google.auth
import google.auth.iam
from google.auth.transport.requests import AuthorizedSession
from google.oauth2 import credentials as user, service_account

at, path = sys.argv[1:]
# It takes no address out of a user's file, nor out of one to impersonate.
user._GOOGLE_OAUTH2_TOKEN_ENDPOINT = at + "/token"
google.auth.iam._IAM_ENDPOINT = at + "/v1/projects/-/serviceAccounts/{}:generateAccessToken"
scope = "https://www.googleapis.com/auth/cloud-platform"
found, _ = google.auth.default(scopes=[scope])
if isinstance(found, service_account.Credentials) and "googleapis.com" in found._token_uri:
    # As Google's generated clients do it: no token is asked for.
    found = service_account.Credentials.from_service_account_file(
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"]
    ).with_always_use_jwt_access(True)
    found._create_self_signed_jwt("https://secretmanager.googleapis.com/")
answer = AuthorizedSession(found).get(at + "/v1/" + path, timeout=10)
if answer.status_code != 200:
    sys.exit("%d %s" % (answer.status_code, answer.text))
payload = json.loads(answer.text)["payload"]
print(payload["data"], payload["dataCrc32c"])
