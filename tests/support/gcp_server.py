# Google as far as drongo has it (secrets and their versions), and what drongo has not: tokens whose
# signatures are verified, a metadata server, workload identity federation, checksums, locations, and
# `latest` as Google resolves it. A line of JSON, [WHAT, ...], is done by the administrator.
import base64, hashlib, hmac, json, sys, threading, time, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import drongo.services
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from drongo.core import registry
from drongo.core.responses import BaseResponse
from drongo.server import _RequestShim
from drongo.services.secretmanager.models import secretmanager_backends as backends
from google.auth import crypt, jwt

PLAIN = serialization.NoEncryption()
PEM = serialization.Encoding.PEM
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PKCS8 = serialization.PrivateFormat.PKCS8
private = key.private_bytes(PEM, PKCS8, PLAIN).decode()
public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
verifiers = {"key-1": crypt.RSAVerifier.from_string(public)}

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
AWS = {"AKIDAWS": "aws/secret+key"}
lock, tokens, denied, asked = threading.Lock(), {}, set(), []


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def issue(who):
    token = "canary-token-%s-%d" % (who, len(tokens))
    tokens[token] = who
    return token


def verified(assertion, audience):
    # Raises where the signature, the times or the audience is wrong.
    claims = jwt.decode(assertion, certs={"key-1": public}, audience=audience)
    if claims["exp"] - claims["iat"] > 3600:
        raise ValueError("too long")
    return claims


def bearer(header):
    token = (header or "").removeprefix("Bearer ")
    if token in tokens:
        return tokens[token]
    try:
        claims = verified(token, "https://secretmanager.googleapis.com/")
        return "self:" + claims["iss"] if claims["iss"] == claims["sub"] else None
    except Exception:
        return None


def of_aws(subject):
    # The signed request to AWS' STS: verified by the secret half that AWS knows.
    asked = json.loads(urllib.parse.unquote(subject))
    headers = {one["key"].lower(): one["value"] for one in asked["headers"]}
    fields = dict(
        part.split("=", 1) for part in headers["authorization"].split(" ", 1)[1].split(", ")
    )
    url = urllib.parse.urlsplit(asked["url"])
    assert headers["host"] == url.netloc and headers["x-goog-cloud-target-resource"] == POOL
    id, *scope = fields["Credential"].split("/")
    names = fields["SignedHeaders"].split(";")
    lines = "".join("%s:%s\n" % (name, headers[name]) for name in names)
    empty = hashlib.sha256(b"").hexdigest()
    whole = [asked["method"], url.path or "/", url.query, lines, ";".join(names), empty]
    digest = hashlib.sha256("\n".join(whole).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], "/".join(scope), digest])
    signing = ("AWS4" + AWS[id]).encode()
    for part in scope:
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    if hmac.new(signing, text.encode(), hashlib.sha256).hexdigest() != fields["Signature"]:
        raise ValueError("signature")
    return "aws:" + id


POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"
# The subject tokens of the other provider.
SUBJECTS = {"canary-subject": "pool"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        kind = "application/text" if isinstance(body, bytes) else "application/json; charset=UTF-8"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, code, status, message="canary-message"):
        self.say(code, {"error": {"code": code, "message": message, "status": status}})

    def do(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else b""
        path = urllib.parse.urlsplit(self.path).path
        if path == "/" or path.startswith("/computeMetadata/v1/"):
            self.metadata(path.removeprefix("/").removeprefix("computeMetadata/v1/"))
        elif path in ("/token", "/exchange"):
            self.token(dict(urllib.parse.parse_qsl(self.body.decode())))
        elif path.endswith(":generateAccessToken"):
            self.impersonate(path.split("/")[-1].split(":")[0])
        elif path == "/subject":
            fine = self.headers.get("X-Own") == "canary-header"
            self.say(200 if fine else 401, {"inner": "canary-subject"})
        elif path.startswith("/v1/projects/"):
            self.secrets(path)
        else:
            self.refuse(404, "NOT_FOUND")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

    def metadata(self, path):
        flavor = [("Metadata-Flavor", "Google")]
        if self.headers.get("Metadata-Flavor") != "Google":
            return self.say(403, b"", flavor)
        account = "instance/service-accounts/"
        if path == account + "default/token" or path.startswith(account + "machine@") and path.endswith("/token"):
            with lock:
                token = issue("machine")
            answer = {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}
            return self.say(200, answer, flavor)
        if path == account + "default/":
            answer = {"email": "machine@a.iam.gserviceaccount.com", "scopes": [SCOPE], "aliases": []}
            return self.say(200, answer, flavor)
        known = {
            "": b"instance/\n",
            "project/project-id": b"machine-project",
            account + "default/email": b"machine@a.iam.gserviceaccount.com",
        }
        self.say(200 if path in known else 404, known.get(path, b""), flavor)

    def token(self, form):
        grant = form.get("grant_type", "").split(":")[-1]
        try:
            if grant == "jwt-bearer":
                claims = verified(form["assertion"], "https://oauth2.googleapis.com/token")
                # A source of another identity needs less.
                assert claims["scope"] in (SCOPE, SCOPE.replace("cloud-platform", "iam"))
                who = "grant:" + claims["iss"]
            elif grant == "refresh_token":
                expected = ("an-id", "canary-client-secret", "canary-refresh-token")
                given = (form["client_id"], form["client_secret"], form["refresh_token"])
                assert given == expected
                who = "user"
            elif grant == "token-exchange":
                assert form["audience"] == POOL and form["scope"]
                kind = form["subject_token_type"].split(":")[-1]
                subject = form["subject_token"]
                who = of_aws(subject) if kind == "aws4_request" else SUBJECTS[subject]
            else:
                return self.say(400, {"error": "unsupported_grant_type"})
        except Exception as fault:
            said = "canary-message " + repr(fault)
            return self.say(400, {"error": "invalid_grant", "error_description": said})
        with lock:
            token = issue(who)
        self.say(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer",
                       "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"})

    def impersonate(self, email):
        source = tokens.get((self.headers.get("Authorization") or "").removeprefix("Bearer "))
        asked = json.loads(self.body)
        if source is None:
            return self.refuse(401, "UNAUTHENTICATED")
        if asked["scope"] != [SCOPE] or not email.startswith("allowed@"):
            return self.refuse(403, "PERMISSION_DENIED")
        with lock:
            token = issue("%s>%s" % (source, email.split("@")[0]))
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        self.say(200, {"accessToken": token, "expireTime": end})

    def secrets(self, path):
        who = bearer(self.headers.get("Authorization"))
        with lock:
            asked.append([path, who, self.headers.get("x-goog-user-project")])
        if who is None:
            return self.refuse(401, "UNAUTHENTICATED")
        parts = path.split("/")
        project = parts[3]
        with lock:
            mine = [part for one, part in denied if one == project]
        if any(part in path for part in mine):
            message = "Permission denied on resource (or it may not exist), canary-message"
            return self.refuse(403, "PERMISSION_DENIED", message)
        # drongo knows no locations: a location's secrets are another project's.
        target = self.path
        if parts[4] == "locations":
            place = "/".join(parts[3:6])
            target = target.replace(place, project + "--" + parts[5])
            project += "--" + parts[5]
        if self.command == "POST" and path.endswith(":addVersion"):
            payload = json.loads(self.body)["payload"]
            data = base64.b64decode(payload["data"])
            if payload.get("dataCrc32c") != str(crc32c(data)) or len(data) > 65536:
                return self.refuse(400, "INVALID_ARGUMENT")
        with lock:
            found = target.split("/secrets/")[-1].split("/versions/")
            if len(found) == 2 and found[1].startswith("latest"):
                # drongo takes the newest version that is enabled, Google the newest.
                secret = backends[project].secrets.get(found[0])
                newest = secret.versions[-1] if secret and secret.versions else None
                if newest and newest.state != "ENABLED":
                    said = "Secret Version [canary-message] is in %s state." % newest.state
                    return self.refuse(400, "FAILED_PRECONDITION", said)
            shim = _RequestShim(self.command, target, dict(self.headers), self.body)
            request = BaseResponse.decode(shim)
            answers = (one.response.handle(request) for one in registry.iter_services() if one.response)
            status, _, body = next((one for one in answers if one is not None), (404, {}, "{}"))
        answer = json.loads(body)
        if "payload" in answer:
            data = base64.b64decode(answer["payload"]["data"])
            answer["payload"]["dataCrc32c"] = str(crc32c(data))
        if isinstance(answer.get("error"), dict):
            answer["error"]["message"] = "canary-message " + answer["error"].get("message", "")
        self.say(status, answer)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


registry.reset_all_backends()
server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
at = "127.0.0.1:%d" % server.server_address[1]
print(json.dumps({"at": at, "key": private}), flush=True)
for line in sys.stdin:
    what, *given = json.loads(line)
    with lock:
        answer = None
        if what == "put":
            project, name, data = given
            backend = backends[project]
            if name not in backend.secrets:
                backend.create_secret(name)
            answer = backend.add_version(name, bytes.fromhex(data)).version
        elif what == "create":
            backends[given[0]].create_secret(given[1])
        elif what == "get":
            secret = backends[given[0]].secrets.get(given[1])
            answer = secret and [version.data.hex() for version in secret.versions]
        elif what == "state":
            project, name, version, state = given
            backends[project].set_version_state(name, version, state)
        elif what == "deny":
            denied.add((given[0], given[1]))
        elif what == "asked":
            answer = [one for one in asked if one[0].split("/")[3] == given[0]]
    print(json.dumps(answer), flush=True)
