#!/usr/bin/env python3
"""A PyKMIP server moves to kmipd: its objects are imported from its database, and over KMIP while it runs, and its clients go on.

usage: pykmip-import.py [FOLDER]

With FOLDER, the database that PyKMIP made is left there, as pykmip.db, and nothing else is done.
"""

import datetime
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from kmip.core import enums
from kmip.core import objects as core
from kmip.core.factories.attributes import AttributeFactory
from kmip.pie import objects
from kmip.pie.client import ProxyKmipClient
from kmip.services.server import KmipServer
from steps import Steps, equal

MASK = enums.CryptographicUsageMask
AES = enums.CryptographicAlgorithm.AES
RSA = enums.CryptographicAlgorithm.RSA
BOTH = [MASK.ENCRYPT, MASK.DECRYPT]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KMIPD = ['node', os.path.join(ROOT, 'dist', 'cli', 'main.js')]
TEXT = b'what PyKMIP encrypted, kmipd decrypts'
CBC = {
    'block_cipher_mode': enums.BlockCipherMode.CBC,
    'padding_method': enums.PaddingMethod.PKCS5,
    'cryptographic_algorithm': AES,
}
IV = bytes(range(16))


def serve(folder, port):
    server = KmipServer(
        hostname='127.0.0.1',
        port=port,
        certificate_path=f'{folder}/server.pem',
        key_path=f'{folder}/server.key',
        ca_path=f'{folder}/ca.pem',
        auth_suite='TLS1.2',
        config_path=None,
        log_path=f'{folder}/server.log',
        policy_path=folder,
        enable_tls_client_auth=True,
        tls_cipher_suites='',
        logging_level='INFO',
        database_path=f'{folder}/pykmip.db',
    )
    with server:
        server.serve()


def write_certificates(folder):
    """A CA, the server's certificate and a client's, as files; returns the client's certificate in DER."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def issue(name, usage, issuer, issuer_key):
        key = rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=usage is None, path_length=None), critical=True)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName('localhost')]), critical=False)
        return builder.sign(issuer_key or key, hashes.SHA256()), key

    ca, ca_key = issue('ca', None, None, None)
    found = None
    for file, name, usage in (
        ('server', 'localhost', ExtendedKeyUsageOID.SERVER_AUTH),
        ('client', 'application', ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        found, key = issue(name, usage, ca.subject, ca_key)
        with open(f'{folder}/{file}.pem', 'wb') as out:
            out.write(found.public_bytes(serialization.Encoding.PEM))
        with open(f'{folder}/{file}.key', 'wb') as out:
            out.write(
                key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
    with open(f'{folder}/ca.pem', 'wb') as out:
        out.write(ca.public_bytes(serialization.Encoding.PEM))
    return found.public_bytes(serialization.Encoding.DER)


def client_of(folder, port, cert='client.pem', key='client.key'):
    return ProxyKmipClient(
        hostname='127.0.0.1',
        port=port,
        cert=f'{folder}/{cert}',
        key=f'{folder}/{key}',
        ca=f'{folder}/ca.pem',
        ssl_version='PROTOCOL_TLSv1_2',
        config_file=os.devnull,
    )


def free_port():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


def start_pykmip(folder):
    port = free_port()
    process = subprocess.Popen([sys.executable, '-W', 'ignore', os.path.abspath(__file__), '--serve', folder, str(port)])
    for _ in range(100):
        if process.poll() is not None:
            raise RuntimeError('PyKMIP does not start')
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return process, port
        except OSError:
            time.sleep(0.1)
    raise RuntimeError('PyKMIP does not answer')


def fill(client, certificate):
    """Objects of every kind and state; returns their identifiers by a name for each."""
    key = rsa.generate_private_key(65537, 2048)
    pkcs8 = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    uids = {}
    uids['created'] = client.create(AES, 256, name='created', cryptographic_usage_mask=BOTH)
    client.activate(uids['created'])
    uids['pre-active'] = client.create(AES, 128, name='pre-active', cryptographic_usage_mask=BOTH)
    for state, reason in (
        ('deactivated', enums.RevocationReasonCode.CESSATION_OF_OPERATION),
        ('compromised', enums.RevocationReasonCode.KEY_COMPROMISE),
    ):
        uids[state] = client.create(AES, 192, name=state, cryptographic_usage_mask=BOTH)
        client.activate(uids[state])
        client.revoke(reason, uids[state])
    uids['public'], uids['private'] = client.create_key_pair(
        RSA,
        2048,
        public_name='public',
        public_usage_mask=[MASK.VERIFY],
        private_name='private',
        private_usage_mask=[MASK.SIGN],
    )
    uids['registered'] = client.register(objects.SymmetricKey(AES, 128, bytes(range(16)), BOTH, 'registered'))
    # PyKMIP's own default name, twice.
    uids['nameless'] = client.register(objects.SymmetricKey(AES, 128, bytes(16), BOTH))
    uids['nameless again'] = client.register(objects.SymmetricKey(AES, 128, bytes(range(1, 17)), BOTH))
    uids['triple des'] = client.register(
        objects.SymmetricKey(enums.CryptographicAlgorithm.TRIPLE_DES, 192, bytes(range(24)), BOTH, 'triple des')
    )
    uids['own private'] = client.register(
        objects.PrivateKey(RSA, 2048, pkcs8, enums.KeyFormatType.PKCS_8, [MASK.SIGN], 'own private')
    )
    uids['own public'] = client.register(
        objects.PublicKey(RSA, 2048, public, enums.KeyFormatType.X_509, [MASK.VERIFY], 'own public')
    )
    uids['certificate'] = client.register(objects.X509Certificate(certificate, [MASK.VERIFY], 'certificate'))
    uids['password'] = client.register(
        objects.SecretData(b'swordfish', enums.SecretDataType.PASSWORD, [MASK.DERIVE_KEY], 'password')
    )
    uids['opaque'] = client.register(objects.OpaqueObject(b'\x00\xffanything', enums.OpaqueDataType.NONE, 'opaque'))
    uids['split'] = client.register(
        objects.SplitKey(
            cryptographic_algorithm=AES,
            cryptographic_length=128,
            key_value=bytes(range(16)),
            cryptographic_usage_masks=[MASK.EXPORT],
            name='split',
            key_format_type=enums.KeyFormatType.RAW,
            split_key_parts=3,
            key_part_identifier=1,
            split_key_threshold=2,
            split_key_method=enums.SplitKeyMethod.XOR,
        )
    )
    uids['wrapped'] = client.register(
        objects.SymmetricKey(
            AES,
            128,
            bytes(24),
            BOTH,
            'wrapped',
            key_wrapping_data={
                'wrapping_method': enums.WrappingMethod.ENCRYPT,
                'encryption_key_information': {
                    'unique_identifier': '42',
                    'cryptographic_parameters': {'block_cipher_mode': enums.BlockCipherMode.NIST_KEY_WRAP},
                },
                'encoding_option': enums.EncodingOption.NO_ENCODING,
            },
        )
    )
    # PyKMIP's simple client has no way to give these.
    factory = AttributeFactory()
    information = {'application_namespace': 'ssl', 'application_data': 'www.example.com'}
    given = [
        (enums.AttributeType.CRYPTOGRAPHIC_ALGORITHM, AES),
        (enums.AttributeType.CRYPTOGRAPHIC_LENGTH, 128),
        (enums.AttributeType.CRYPTOGRAPHIC_USAGE_MASK, BOTH),
        (enums.AttributeType.NAME, 'grouped'),
        (enums.AttributeType.OBJECT_GROUP, 'group'),
        (enums.AttributeType.APPLICATION_SPECIFIC_INFORMATION, information),
    ]
    template = core.TemplateAttribute(attributes=[factory.create_attribute(*one) for one in given])
    uids['grouped'] = client.proxy.create(enums.ObjectType.SYMMETRIC_KEY, template).uuid
    return uids


ATTRIBUTES = ('State', 'Cryptographic Usage Mask', 'Object Group', 'Application Specific Information', 'Initial Date')


def seen(client, uid):
    """What a client can tell of an object."""
    _, attributes = client.get_attributes(uid, list(ATTRIBUTES))
    values = sorted((a.attribute_name.value, str(a.attribute_value)) for a in attributes)
    return client.get(uid), values


def kmipd(*arguments):
    done = subprocess.run([*KMIPD, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f'kmipd {" ".join(arguments[:2])} ended with {done.returncode}: {done.stderr}{done.stdout}')
    return done.stdout


def imported(out, count, present=0):
    report = json.loads(out)
    equal((report['imported'], report['present'], report['left']), (count, present, []), 'report')
    return report


def same(new, old, name):
    (object_now, attributes_now), (object_then, attributes_then) = new, old
    # PyKMIP does not give an Opaque Object a State.
    if not any(title == 'State' for title, _ in attributes_then):
        attributes_now = [one for one in attributes_now if one[0] != 'State']
    equal(attributes_now, attributes_then, f'attributes of {name}')
    if type(object_now) is not type(object_then) or object_now.value != object_then.value:
        raise AssertionError(f'{name} is {object_now!r}, not {object_then!r}')
    for field in ('cryptographic_algorithm', 'cryptographic_length', 'key_format_type', 'key_wrapping_data'):
        equal(getattr(object_now, field, None), getattr(object_then, field, None), f'{field} of {name}')


def main(work):
    steps = Steps()
    folder = f'{work}/pykmip'
    data = f'{work}/data'
    os.mkdir(folder)
    certificate = write_certificates(folder)
    process, port = start_pykmip(folder)
    try:
        with client_of(folder, port) as client:
            uids = steps.step('PyKMIP makes objects', lambda: fill(client, certificate))
            if uids is None:
                steps.finish()
            before = {name: seen(client, uid) for name, uid in uids.items()}
            secret, _ = client.encrypt(TEXT, uids['created'], CBC, IV)
        kmipd('init', '--data-dir', data)
        for scope in ('database', 'network'):
            kmipd('scope', 'create', scope, '--data-dir', data)
            kmipd('role', 'write', scope, 'all', 'operation_all=true', '--data-dir', data)
            kmipd('credential', 'generate', scope, 'all', '--data-dir', data, '--out', f'{work}/{scope}')
        network = [
            *('import', 'kmip', '--host', 'localhost', '--port', str(port), '--ca', f'{folder}/ca.pem'),
            *('--cert', f'{folder}/client.pem', '--key', f'{folder}/client.key'),
            *('--scope', 'network', '--data-dir', data, '--json'),
        ]
        steps.step('import over KMIP', lambda: imported(kmipd(*network), len(uids)))
        steps.step('import over KMIP again', lambda: imported(kmipd(*network), 0, len(uids)))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    database = ['import', 'pykmip', f'{folder}/pykmip.db', '--scope', 'database', '--data-dir', data, '--json']
    steps.step('import of the database', lambda: imported(kmipd(*database), len(uids)))
    steps.step('import of the database again', lambda: imported(kmipd(*database), 0, len(uids)))
    steps.step('check of the store', lambda: kmipd('store', 'verify', '--data-dir', data))

    server = subprocess.Popen(
        [*KMIPD, 'dev', '--data-dir', data, '--kmip-address', '127.0.0.1:0'],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not os.path.exists(f'{data}/listeners.json'):
            if server.poll() is not None:
                raise RuntimeError('kmipd does not start')
            time.sleep(0.1)
        with open(f'{data}/listeners.json', encoding='utf8') as file:
            port = int(json.load(file)['kmip'].rpartition(':')[2])
        for scope in ('database', 'network'):
            steps.group = scope
            with client_of(f'{work}/{scope}', port, 'cert.pem', 'key.pem') as client:
                go_on(steps, client, uids, before, secret)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    steps.finish()


def go_on(steps, client, uids, before, secret):
    for name, uid in uids.items():
        steps.step(f'Get of {name}', lambda name=name, uid=uid: same(seen(client, uid), before[name], name))
    def located(name):
        wanted = AttributeFactory().create_attribute(enums.AttributeType.NAME, name)
        equal(client.locate(attributes=[wanted]), [uids[name]], f'Locate of {name}')

    for name in ('created', 'private', 'opaque', 'compromised'):
        steps.step(f'Locate of {name}', lambda name=name: located(name))
    steps.step('Decrypt', lambda: equal(client.decrypt(secret, uids['created'], CBC, IV), TEXT, 'text'))
    steps.step('Activate', lambda: client.activate(uids['pre-active']))
    steps.step('Destroy', lambda: client.destroy(uids['opaque']))


if __name__ == '__main__':
    logging.disable(logging.CRITICAL)
    if sys.argv[1:2] == ['--serve']:
        serve(sys.argv[2], int(sys.argv[3]))
    elif len(sys.argv) == 2:
        temporary = tempfile.mkdtemp()
        der = write_certificates(temporary)
        running, at = start_pykmip(temporary)
        try:
            with client_of(temporary, at) as one:
                print(json.dumps(fill(one, der)))
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait()
        shutil.copy(f'{temporary}/pykmip.db', sys.argv[1])
        shutil.rmtree(temporary)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(temporary)
