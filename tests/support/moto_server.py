# AWS as far as moto has it, with signatures and policies checked. What an administrator does comes
# as a line of JSON, [SERVICE, REGION, WHAT, {...}], and is done by AWS' own client.
import json, sys
import boto3
from moto import settings
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
at = "http://%s:%d" % server.get_host_and_port()
keys = {"aws_access_key_id": "first", "aws_secret_access_key": "first"}


def client(service, region="eu-west-1"):
    return boto3.client(service, endpoint_url=at, region_name=region, **keys)


everything = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
)
iam = client("iam")
iam.create_user(UserName="admin")
iam.put_user_policy(UserName="admin", PolicyName="all", PolicyDocument=everything)
made = iam.create_access_key(UserName="admin")["AccessKey"]
keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0.0
print(at, flush=True)
for line in sys.stdin:
    service, region, what, arguments = json.loads(line)
    if "SecretBinary" in arguments:
        arguments["SecretBinary"] = bytes.fromhex(arguments["SecretBinary"])
    try:
        answer = getattr(client(service, region), what)(**arguments)
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer, default=str), flush=True)
