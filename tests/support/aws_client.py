# AWS' own client: who it is in this environment. Prints the access key's id, its secret half and
# the session token, a line each.
import botocore.session

keys = botocore.session.get_session().get_credentials().get_frozen_credentials()
print(keys.access_key, keys.secret_key, keys.token or "", sep="\n")
