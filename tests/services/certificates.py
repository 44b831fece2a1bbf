# SPDX-License-Identifier: Apache-2.0
"""Certificates for servers here and their clients: an authority, and what it signed, valid for localhost and 127.0.0.1."""
import os

from server import run


def authority(folder, name="ca"):
    """Makes FOLDER/NAME.pem and NAME.key."""
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=Penstock tests " + name,
         "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", name + ".key", "-out", name + ".pem"], "making an authority", cwd=folder)


def issue(folder, name, ca="ca", days=30, valid_for="DNS:localhost,IP:127.0.0.1"):
    """Makes FOLDER/NAME.key, NAME.crt (signed by CA) and NAME.pem, which is both."""
    extensions = os.path.join(folder, name + ".ext")
    with open(extensions, "w", encoding="ascii") as f:
        f.write("subjectAltName=%s\nbasicConstraints=CA:FALSE\n" % valid_for)
    run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name, "-keyout", name + ".key", "-out",
         name + ".csr"], "making a key", cwd=folder)
    run(["openssl", "x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial", "-days", str(days), "-extfile",
         extensions, "-out", name + ".crt"], "signing a certificate", cwd=folder)
    with open(os.path.join(folder, name + ".pem"), "w", encoding="ascii") as out:
        for part in (name + ".key", name + ".crt"):
            with open(os.path.join(folder, part), encoding="ascii") as f:
                out.write(f.read())
