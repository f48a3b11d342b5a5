# Azure for tests: Entra, Key Vault and both services of managed identities on one port, by the host
# that is asked. `front` is a proxy that leads every https host there, or to what stands before it.
# An administrator's line of JSON is [WHAT, ...]; the answer is a line of JSON.
import base64, datetime, hashlib, json, select, socket, ssl, sys, threading, time, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

FOLDER, TENANT = sys.argv[1], "5f0c3a10-0000-4000-8000-00000000aaaa"
ENTRA = {"login.microsoftonline.com": "vault.azure.net", "login.chinacloudapi.cn": "vault.azure.cn"}
apps, tokens, vaults, lock = {}, {}, {}, threading.RLock()


def make(name, issuer, key, by, names=(), authority=False):
    of = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder().subject_name(of(name)).issuer_name(of(issuer))
    made = made.public_key(key.public_key()).serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(2))
    made = made.add_extension(x509.BasicConstraints(authority, None), True)
    if names:
        names = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
        made = made.add_extension(names, False)
    return made.sign(by, hashes.SHA256())


def save(name, *parts):
    with open(f"{FOLDER}/{name}", "wb") as file:
        for part in parts:
            if isinstance(part, x509.Certificate):
                file.write(part.public_bytes(serialization.Encoding.PEM))
            else:
                pem, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
                file.write(part.private_bytes(pem, kind, serialization.NoEncryption()))


authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
app_key, other_key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
hosts = [*ENTRA, *(f"*.{domain}" for domain in ENTRA.values()), "localhost", "*.evil.test"]
save("ca.pem", make("authority", "authority", authority_key, authority_key, (), True))
save("server.pem", make("server", "authority", server_key, authority_key, hosts), server_key)
app_certificate = make("app", "app", app_key, app_key)
save("app.pem", app_certificate, app_key)
save("other.pem", make("other", "other", other_key, other_key), other_key)


def vault_of(name):
    return vaults.setdefault(name, {"secrets": {}, "deleted": {}, "denied": {}})


def token_of(how, client, resource):
    token = apps.get(client, {}).get("token") or f"token-of-{how}-{client}"
    tokens[token] = resource
    return token


class Azure(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def send(self, status, body, headers=()):
        body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in [("Content-Type", "application/json"), *headers]:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def any(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        host = (self.headers.get("Host") or "").split(":")[0].lower()
        with lock:
            if host in ENTRA:
                self.entra(host, url.path, body)
            elif url.path == "/metadata/identity/oauth2/token":
                self.managed("imds", "2018-02-01", self.headers.get("Metadata") == "true", query)
            elif url.path == "/msi/token":
                shown = self.headers.get("X-IDENTITY-HEADER") == "canary-identity-header"
                self.managed("app", "2019-08-01", shown, query)
            else:
                self.vault(host, url.path, query, body)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = any

    def entra(self, host, path, body):
        if path == "/common/discovery/instance":
            metadata = [{"preferred_network": one, "preferred_cache": one, "aliases": [one]} for one in ENTRA]
            tenant = f"https://{host}/{TENANT}/v2.0/.well-known/openid-configuration"
            return self.send(200, {"tenant_discovery_endpoint": tenant, "metadata": metadata})
        at = f"https://{host}/{TENANT}"
        if path == f"/{TENANT}/v2.0/.well-known/openid-configuration":
            endpoints = {f"{one}_endpoint": f"{at}/oauth2/v2.0/{one[:9]}" for one in ("authorization", "token")}
            return self.send(200, {"issuer": f"{at}/v2.0", **endpoints})
        refuse = lambda number, status=401: self.send(status, {
            "error": "invalid_client", "error_description": f"AADSTS{number}: canary-message", "error_codes": [number]})
        if path != f"/{TENANT}/oauth2/v2.0/token":
            return refuse(90002, 400)
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        client, resource = form.get("client_id"), f"https://{ENTRA[host]}"
        if form.get("grant_type") != "client_credentials":
            return refuse(70003, 400)
        if form.get("scope", "").split(" ")[0] != f"{resource}/.default":
            return refuse(500011, 400)
        if client not in apps:
            return refuse(700016, 400)
        if "client_secret" in form:
            if form["client_secret"] != apps[client]["secret"]:
                return refuse(7000222 if form["client_secret"] == "expired" else 7000215)
            return self.given("secret", client, resource)
        if not form.get("client_assertion_type", "").endswith("client-assertion-type:jwt-bearer"):
            return refuse(7000218)
        shown = form.get("client_assertion", "")
        if shown in apps[client]["federated"]:
            return self.given("federated", client, resource)
        try:
            header = jwt.get_unverified_header(shown)
        except jwt.PyJWTError:
            return refuse(700213)
        der = app_certificate.public_bytes(serialization.Encoding.DER)
        thumb = lambda kind: base64.urlsafe_b64encode(hashlib.new(kind, der).digest()).decode().rstrip("=")
        of = lambda name: header.get(name, "").rstrip("=")
        known = of("x5t#S256") == thumb("sha256") or of("x5t") == thumb("sha1")
        try:
            options = {"require": ["exp", "iss", "sub", "jti"]}
            audience = f"{at}/oauth2/v2.0/token"
            claims = jwt.decode(shown, app_key.public_key(), ["RS256", "PS256"], options, audience=audience)
            known = known and claims["iss"] == claims["sub"] == client
        except jwt.PyJWTError:
            known = False
        return self.given("certificate", client, resource) if known else refuse(700027)

    def given(self, how, client, resource):
        token = token_of(how, client, resource)
        self.send(200, {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token})

    def managed(self, how, version, shown, query):
        client, resource = query.get("client_id", "own"), query.get("resource", "").rstrip("/")
        if not shown:
            return self.send(401 if how == "app" else 400, {"error": "canary-message"})
        if query.get("api-version") != version or (client != "own" and client not in apps):
            return self.send(400, {"error": "invalid_request", "error_description": "canary-message"})
        life = {"expires_in": "86399", "expires_on": str(int(time.time()) + 86399)}
        token = token_of(how, client, resource)
        self.send(200, {"access_token": token, "resource": resource, "token_type": "Bearer", **life})

    def fault(self, status, code, inner=None, headers=()):
        fault = {"code": code, "message": "canary-message"}
        if inner:
            fault["innererror"] = {"code": inner}
        self.send(status, {"error": fault}, headers)

    def vault(self, host, path, query, body):
        name, domain = host.split(".", 1) if "." in host else (host, "")
        vault = vault_of(name)
        kind, token = (self.headers.get("Authorization") or " ").split(" ", 1)
        if kind != "Bearer" or token not in tokens:
            entra = next((one for one, of in ENTRA.items() if of == domain), "login.test")
            challenge = f'Bearer authorization="https://{entra}/{TENANT}", resource="https://{domain}"'
            return self.fault(401, "Unauthorized", headers=[("WWW-Authenticate", challenge)])
        if tokens[token] != f"https://{domain}":
            return self.send(401, {"error": {"code": "Unauthorized", "message": "AKV10022: Invalid audience. canary-message"}})
        if not query.get("api-version"):
            return self.fault(400, "BadParameter")
        what, *rest = [step for step in path.split("/") if step]
        secret = rest[0].lower() if rest else ""
        denied = next((code for part, code in vault["denied"].items() if secret.endswith(part)), None)
        if denied:
            return self.fault(403, "Forbidden", denied)
        at, secrets, deleted = f"https://{self.headers['Host']}", vault["secrets"], vault["deleted"]
        bundle = lambda one: {**one, "id": f"{at}/secrets/{one['name']}/{one['version']}"}
        if self.command == "GET" and what == "secrets" and not rest:
            names, first = sorted(secrets), int(query.get("$skiptoken", 0))
            page = names[first : first + min(25, int(query.get("maxresults", 25)))]
            more = f"{at}/secrets?api-version=7.6&$skiptoken={first + len(page)}"
            listed = [{"id": f"{at}/secrets/{secrets[one][-1]['name']}", "attributes": secrets[one][-1]["attributes"]} for one in page]
            return self.send(200, {"value": listed, "nextLink": more if first + len(page) < len(names) else None})
        if what == "secrets" and self.command == "PUT":
            wanted = json.loads(body)
            if secret in deleted:
                return self.fault(409, "Conflict", "ObjectIsDeletedButRecoverable")
            if len(wanted["value"].encode()) > 25600:
                return self.fault(400, "BadParameter")
            return self.send(200, bundle(put(name, rest[0], wanted)))
        if what == "deletedsecrets":
            if secret not in deleted:
                return self.fault(404, "SecretNotFound")
            if self.command == "DELETE":
                del deleted[secret]
                return self.send(204, {})
            if self.command == "POST":
                secrets[secret] = deleted.pop(secret)
                return self.send(200, bundle(secrets[secret][-1]))
            return self.send(200, bundle(deleted[secret][-1]))
        versions = secrets.get(secret, [])
        found = [one for one in versions if len(rest) < 2 or one["version"] == rest[1]]
        if what != "secrets" or not found:
            return self.fault(404, "SecretNotFound")
        if self.command == "DELETE":
            deleted[secret] = secrets.pop(secret)
            return self.send(200, {**bundle(found[-1]), "recoveryId": f"{at}/deletedsecrets/{secret}"})
        if self.command == "PATCH":
            found[-1]["attributes"].update(json.loads(body).get("attributes", {}))
        elif not found[-1]["attributes"]["enabled"]:
            return self.fault(403, "Forbidden", "SecretDisabled")
        self.send(200, bundle(found[-1]))


def put(vault, name, wanted):
    vault = vault_of(vault)
    now = int(time.time())
    attributes = {"enabled": True, "created": now, "updated": now, "recoveryLevel": "Recoverable+Purgeable"}
    made = {"name": name, "version": uuid.uuid4().hex, "value": wanted["value"]}
    made["attributes"] = {**attributes, **wanted.get("attributes", {})}
    made.update({key: wanted[key] for key in ("contentType", "tags") if wanted.get(key)})
    vault["secrets"].setdefault(name.lower(), []).append(made)
    return made


class Server(ThreadingHTTPServer):
    request_queue_size = 1000
    daemon_threads = True


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{FOLDER}/server.pem")


def lead(client, to):
    try:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = client.recv(1)
            if not piece:
                return
            head += piece
        client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with context.wrap_socket(client, server_side=True) as client, socket.create_connection(to) as there:
            while True:
                ready = [client] if client.pending() else select.select([client, there], [], [])[0]
                for one in ready:
                    piece = one.recv(65536)
                    if not piece:
                        return
                    (there if one is client else client).sendall(piece)
    except OSError:
        client.close()


def front(to):
    host, port = to.split(":")
    listener = socket.create_server(("127.0.0.1", 0), backlog=1000)

    def serve():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=lead, args=(client, (host, int(port))), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return "http://127.0.0.1:%d" % listener.getsockname()[1]


server = Server(("127.0.0.1", 0), Azure)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("127.0.0.1:%d" % server.server_port, flush=True)
for line in sys.stdin:
    what, *rest = json.loads(line)
    answer = None
    with lock:
        if what == "front":
            answer = front(rest[0])
        elif what == "put":
            answer = put(*rest)["version"]
        elif what == "get":
            answer = vault_of(rest[0])["secrets"].get(rest[1], [None])[-1]
        elif what == "app":
            apps[rest[0]] = rest[1]
        elif what == "denied":
            vault_of(rest[0])["denied"] = rest[1]
        elif what == "delete":
            vault_of(rest[0])["deleted"][rest[1]] = vault_of(rest[0])["secrets"].pop(rest[1])
    print(json.dumps(answer), flush=True)
