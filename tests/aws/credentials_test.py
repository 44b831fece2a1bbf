#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where AWS credentials come from: options, environment, shared files, roles, commands, containers, instances; and that they are renewed in time.
The metadata services and STS are little servers of this test: there is no real one to be had.
"""
import datetime
import http.server
import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
import urllib.parse

CHECK = os.path.join(os.environ["top_builddir"], "tests", "aws", "keys_check")
run = bad = 0


def ok(good, what, *notes):
    global run, bad
    run += 1
    bad += not good
    print("%sok %d - %s" % ("" if good else "not ", run, what))
    for note in notes if not good else ():
        print("# %s" % str(note).replace("\n", "\n# "))
    sys.stdout.flush()


def when(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Service(http.server.ThreadingHTTPServer):
    """Answers by path; writes down what it was asked."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.answers = [], {}
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.asked.append((self.command, self.path, self.headers, body))
        answer = self.server.answers.get(self.path, (404, ""))
        status, text = answer(self.headers, body) if callable(answer) else answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_PUT = do_POST = any

    def log_message(self, *_):
        pass


def keys_json(name, seconds=3600, token="Token"):
    return json.dumps({"Code": "Success", "AccessKeyId": name, "SecretAccessKey": "s-" + name, token: "t-" + name, "Expiration": when(seconds)})


def keys_xml(name, action="AssumeRole", seconds=3600):
    return ("<%sResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><%sResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>s-%s"
            "</SecretAccessKey><SessionToken>t-%s</SessionToken><Expiration>%s</Expiration></Credentials></%sResult></%sResponse>"
            % (action, action, name, name, name, when(seconds), action, action))


def found(env, *arguments):
    """What keys_check prints, line by line, each a list of words."""
    full = {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "AWS_EC2_METADATA_DISABLED": "true", **env}
    full.update({name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH") if name in os.environ})
    done = subprocess.run([CHECK, *arguments], env=full, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return [line.split() for line in done.stdout.splitlines()]


def gives(what, want, env, *arguments):
    """The first line begins with the words of want."""
    lines = found(env, *arguments)
    ok(bool(lines) and lines[0][:len(want)] == want, what, lines)


def refuses(what, words, env, *arguments):
    lines = found(env, *arguments)
    text = " ".join(lines[-1]) if lines else ""
    ok(text.startswith("error -3") and all(word in text for word in words) and "s-" not in text, "%s: %s" % (what, text))


def shared(config="", credentials=""):
    os.makedirs(os.path.join(home, ".aws"), exist_ok=True)
    for name, text in (("config", config), ("credentials", credentials)):
        with open(os.path.join(home, ".aws", name), "w", encoding="utf-8") as f:
            f.write(text)


def options_and_environment():
    env = {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "s-E"}
    gives("the options come first", ["O", "s-O", "-", "-1"], env, "access_key=O", "secret_key=s-O")
    gives("then the environment", ["E", "s-E", "-", "-1"], env)
    gives("with a session token", ["E", "s-E", "t"], dict(env, AWS_SESSION_TOKEN="t"))
    refuses("half of the options", ["access_key"], env, "access_key=O")
    refuses("half of the environment", ["AWS_SECRET_ACCESS_KEY"], {"AWS_ACCESS_KEY_ID": "E"})
    shared()
    refuses("nothing anywhere", ["access_key", "AWS_ACCESS_KEY_ID", "profile default", "/.aws/credentials"], {})


def shared_files():
    shared("[default]\nregion = eu-west-1\naws_access_key_id=C\naws_secret_access_key=s-C\n[profile other]\naws_access_key_id = P ; a comment\n"
           "aws_secret_access_key\t=\ts-P#not-one\ns3 =\n  aws_access_key_id = nested\n[profile \"two words\"]\naws_access_key_id=W\n"
           "aws_secret_access_key=s-W\n[profile half]\naws_access_key_id=H\n[profile sso]\nsso_session=x\n[profile none]\nregion=x\n",
           "# nothing\n[other]\naws_session_token = t-P\n[created]\r\naws_access_key_id=R\r\naws_secret_access_key=s-R\r\n")
    gives("the default profile", ["C", "s-C", "-"], {})
    gives("AWS_PROFILE", ["P", "s-P#not-one", "t-P"], {"AWS_PROFILE": "other"})
    gives("the option profile goes before the environment", ["W", "s-W"], {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "s-E"}, "profile=two words")
    gives("a profile of the credentials file alone", ["R", "s-R"], {}, "profile=created")
    refuses("a profile with half of its keys", ["half"], {}, "profile=half")
    refuses("a profile that signs in by SSO", ["credential_process"], {}, "profile=sso")
    refuses("a profile without keys", ["none"], {}, "profile=none")
    refuses("a profile that is not there", ["nowhere"], {}, "profile=nowhere")
    gives("another place for the files", ["R", "s-R"], {"AWS_SHARED_CREDENTIALS_FILE": os.path.join(home, ".aws", "credentials"), "HOME": "/nonexistent",
                                                        "AWS_PROFILE": "created"})


def commands():
    script = os.path.join(home, "give keys")
    with open(script, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\necho '%s'\n" % json.dumps({"Version": 1, "AccessKeyId": "X", "SecretAccessKey": "s-X", "SessionToken": "t-X"}))
    os.chmod(script, stat.S_IRWXU)
    shared("[default]\ncredential_process = '%s' --arg\n[profile fails]\ncredential_process = exit 3\n[profile noise]\ncredential_process = echo nothing\n" % script)
    gives("credential_process", ["X", "s-X", "t-X", "-1"], {})
    lines = found({}, "profile=fails")
    ok(lines and lines[-1][0] == "error" and "status 3" in " ".join(lines[-1]), "one that fails: %s" % " ".join(lines[-1] if lines else []))
    refuses("one that says something else", ["credential_process", "AccessKeyId"], {}, "profile=noise")


def roles(sts):
    env = {"AWS_ENDPOINT_URL_STS": sts.url}
    shared("[profile base]\naws_access_key_id=B\naws_secret_access_key=s-B\n[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\n"
           "external_id = e&1\nrole_session_name = me\nduration_seconds = 900\n[profile twice]\nrole_arn=arn:2\nsource_profile=role\n"
           "[profile circle]\nrole_arn=arn:3\nsource_profile=circle2\n[profile circle2]\nrole_arn=arn:4\nsource_profile=circle\n"
           "[profile env]\nrole_arn=arn:5\ncredential_source=Environment\n[profile web]\nrole_arn=arn:6\nweb_identity_token_file=%s\n"
           "[profile bare]\nrole_arn=arn:7\n[profile mfa]\nrole_arn=arn:8\nsource_profile=base\nmfa_serial=x\n" % os.path.join(home, "jwt"))
    with open(os.path.join(home, "jwt"), "w", encoding="utf-8") as f:
        f.write("ey.J+w=t\n")

    def answer(headers, body):
        fields = urllib.parse.parse_qs(body)
        signer = headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        return 200, keys_xml("R-%s-%s" % (signer or "web", fields["RoleArn"][0].split("/")[-1]), fields["Action"][0])
    sts.answers["/"] = answer
    gives("a role by source_profile", ["R-B-r", "s-R-B-r", "t-R-B-r"], env, "profile=role")
    sent = urllib.parse.parse_qs(sts.asked[-1][3])
    ok(sent["ExternalId"] == ["e&1"] and sent["RoleSessionName"] == ["me"] and sent["DurationSeconds"] == ["900"] and sent["Version"] == ["2011-06-15"],
       "with its external id, session and duration", sent)
    ok("/us-east-1/sts/aws4_request" in sts.asked[-1][2]["Authorization"], "signed for sts", sts.asked[-1][2])
    gives("a role by a role", ["R-R-B-r-arn:2"], env, "profile=twice")
    gives("a role by the environment's keys", ["R-E-arn:5"], dict(env, AWS_ACCESS_KEY_ID="E", AWS_SECRET_ACCESS_KEY="s-E"), "profile=env")
    gives("a role by a web identity", ["R-web-arn:6"], env, "profile=web")
    ok(urllib.parse.parse_qs(sts.asked[-1][3])["WebIdentityToken"] == ["ey.J+w=t"], "with the token of the file", sts.asked[-1][3])
    gives("a web identity of the environment", ["R-web-arn:9"], dict(env, AWS_ROLE_ARN="arn:9", AWS_WEB_IDENTITY_TOKEN_FILE=os.path.join(home, "jwt")))
    refuses("a circle of profiles", ["circle"], env, "profile=circle")
    refuses("a role without a source", ["bare", "source_profile"], env, "profile=bare")
    refuses("a role that asks for a code", ["mfa"], env, "profile=mfa")
    sts.answers["/"] = (403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>")
    refuses("a role that is not ours", ["AccessDenied", "not you", "role/r"], env, "profile=role")
    shared()


def containers(service):
    service.answers["/creds"] = lambda headers, body: (200, keys_json("K-" + headers.get("Authorization", "none")))
    gives("a container's service", ["K-none", "s-K-none", "t-K-none"], {"AWS_CONTAINER_CREDENTIALS_FULL_URI": service.url + "/creds"})
    gives("with a token", ["K-abc"], {"AWS_CONTAINER_CREDENTIALS_FULL_URI": service.url + "/creds", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "abc"})
    with open(os.path.join(home, "token"), "w", encoding="utf-8") as f:
        f.write("from-a-file\n")
    gives("with a token of a file", ["K-from-a-file"], {"AWS_CONTAINER_CREDENTIALS_FULL_URI": service.url + "/creds",
                                                       "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": os.path.join(home, "token")})
    refuses("an address far away, without TLS", ["http://192.0.2.1"], {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/creds"})
    refuses("one that only looks near", ["127.0.0.1@"], {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1@192.0.2.1/creds"})
    refuses("an answer without keys", ["/empty"], {"AWS_CONTAINER_CREDENTIALS_FULL_URI": service.url + "/empty"})


def instances(service):
    base = "/latest/meta-data/iam/security-credentials/"
    env = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url + "/"}

    def only_with_token(text):
        return lambda headers, body: (200, text() if callable(text) else text) if headers.get("x-aws-ec2-metadata-token") == "T0" else (401, "")
    service.answers.update({"/latest/api/token": (200, "T0"), base: only_with_token("my-role\n"), base + "my-role": only_with_token(keys_json("I"))})
    gives("an instance's metadata, version 2", ["I", "s-I", "t-I"], env)
    ok([(m, p) for m, p, _, _ in service.asked[-3:]] == [("PUT", "/latest/api/token"), ("GET", base), ("GET", base + "my-role")], "by a token, the role, its keys")
    refuses("nobody there", ["this machine's", "127.0.0.1:1"], dict(env, AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:1"))

    count = [0]

    def short_lived():
        count[0] += 1
        return keys_json("N%d" % count[0], 302 if count[0] == 1 else 3600)
    service.answers[base + "my-role"] = only_with_token(short_lived)
    lines = found(env, "seconds=6")
    ok([line[0] for line in lines] == ["N1", "N2"], "keys are renewed before they expire, once", lines)

    def once_then_down():
        count[0] += 1
        return keys_json("D", 303) if count[0] == 1 else "down"
    count[0] = 0
    service.answers[base + "my-role"] = only_with_token(once_then_down)
    lines = found(env, "seconds=5")
    ok([line[0] for line in lines if not line[0].startswith("time=")] == ["D"] or lines[0][0] == "D", "those that are good still are given out meanwhile", lines)


with tempfile.TemporaryDirectory() as home:
    one = Service()
    options_and_environment()
    shared_files()
    commands()
    roles(one)
    containers(one)
    instances(one)
print("1..%d" % run)
sys.exit(bad > 0)
