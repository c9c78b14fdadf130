#!/usr/bin/env python3
"""Drives a running `kmipd dev` with PyMongo's client-side encryption: libmongocrypt's messages, PyMongo's own connections to the KMS.

The key vault, a collection of a MongoDB server otherwise, is kept in memory here.

usage: mongocrypt.py DATA_DIR
"""

import copy
import os
import sys

from bson import CodecOptions, decode, encode
from bson.binary import STANDARD, Binary
from bson.raw_bson import RawBSONDocument
from kmip.core import enums
from kmip.pie.client import ProxyKmipClient
from pymongo import MongoClient
from pymongo.encryption import Algorithm, ClientEncryption
from pymongo.errors import EncryptionError
from steps import Steps, equal, server

VALUE = {'ssn': '078-05-1120', 'numbers': [1, 2, 3]}
RANDOM = Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Random
DETERMINISTIC = Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Deterministic


class Vault:
    """What PyMongo asks of the key vault's collection, on documents in memory."""

    def __init__(self):
        self.documents = []

    def with_options(self, **_):
        return self

    def find(self, query=None):
        wanted = decode(bytes(query.raw)) if isinstance(query, RawBSONDocument) else query or {}
        return Found([RawBSONDocument(encode(one)) for one in self.documents if matches(one, wanted)])

    def insert_one(self, document):
        self.documents.append(decode(bytes(document.raw)))

    def bulk_write(self, updates):
        for update in updates:
            for document in self.documents:
                if matches(document, update._filter):
                    document.update(update._doc['$set'])
        return len(updates)


class Found(list):
    def __enter__(self):
        return iter(self)

    def __exit__(self, *_):
        return None


def matches(document, query):
    """The part of MongoDB's query language that libmongocrypt uses for its key vault."""
    for field, wanted in query.items():
        if field == '$or':
            if not any(matches(document, one) for one in wanted):
                return False
        elif isinstance(wanted, dict) and '$in' in wanted:
            value = document.get(field)
            if not any(one in wanted['$in'] for one in (value if isinstance(value, list) else [value])):
                return False
        elif document.get(field) != wanted:
            return False
    return True


class Application:
    """A process that encrypts: it has no memory but the key vault."""

    def __init__(self, vault, host, port, folder, **changes):
        provider = {'endpoint': f'{host}:{port}'}
        tls = {'tlsCAFile': os.path.join(folder, 'ca.pem'), 'tlsCertificateKeyFile': os.path.join(folder, 'client.pem'), **changes}
        self.mongo = MongoClient('mongodb://127.0.0.1:1', connect=False)
        self.encryption = ClientEncryption(
            {'kmip': provider, 'kmip:second': provider},
            'encryption.keys',
            self.mongo,
            CodecOptions(uuid_representation=STANDARD),
            kms_tls_options={'kmip': tls, 'kmip:second': tls},
        )
        self.encryption._io_callbacks.key_vault_coll = vault
        self.encryption._key_vault_coll = vault

    def __enter__(self):
        return self.encryption

    def __exit__(self, *_):
        self.encryption.close()
        self.mongo.close()


def fails(function, *words):
    try:
        function()
    except EncryptionError as error:
        text = str(error)
        if not all(word.lower() in text.lower() for word in words):
            raise AssertionError(f'the error does not say {words}: {text}') from error
        return
    raise AssertionError('it did not fail')


def main():
    host, port, folder = server()
    steps = Steps()
    step = steps.step
    vault = Vault()
    kmip = {'config_file': os.path.join(folder, 'pykmip.conf')}

    def application(**changes):
        return Application(vault, host, port, folder, **changes)

    def data_key(provider='kmip', name=None, **master):
        with application() as client:
            found = client.create_data_key(provider, master_key=master, key_alt_names=[name] if name else None)
        equal((type(found), found.subtype), (Binary, 4))
        return found

    def stored(key):
        return next(one for one in vault.documents if one['_id'] == key)

    def write(key, algorithm=RANDOM, value=VALUE):
        with application() as client:
            return client.encrypt(value, algorithm, key_id=key)

    def read(secret):
        with application() as client:
            return client.decrypt(secret)

    first = step('create a data key', lambda: data_key(name='first'))
    identifier = step('the vault names the key on the server', lambda: stored(first)['masterKey']['keyId'])

    def on_server():
        with ProxyKmipClient(**kmip) as client:
            secret = client.get(identifier)
            equal(len(secret.value), 96)
            state = client.get_attributes(identifier, ['State'])[1][0].attribute_value.value
            equal(state, enums.State.ACTIVE)

    step('the server has it as active secret data of 96 bytes', on_server)
    secret = step('encrypt after a restart', lambda: write(first, value='a text'))
    step('decrypt after a restart', lambda: equal(read(secret), 'a text'))

    def twice():
        with application() as client:
            one = client.encrypt('same', DETERMINISTIC, key_alt_name='first')
            equal(client.encrypt('same', DETERMINISTIC, key_id=first), one)
            equal(client.decrypt(one), 'same')

    step('encrypt by the alternative name', twice)

    def given():
        other = data_key(keyId=identifier)
        equal(stored(other)['masterKey']['keyId'], identifier)
        equal(read(write(other, value=7)), 7)

    step('a data key under the same key of the server', given)

    def rewrap():
        before = copy.deepcopy(stored(first))
        with application() as client:
            client.rewrap_many_data_key({'_id': first}, provider='kmip', master_key={})
        after = stored(first)
        if after['keyMaterial'] == before['keyMaterial'] or after['masterKey']['keyId'] == identifier:
            raise AssertionError('it is the same')
        equal(read(secret), 'a text')

    step('rewrap a data key', rewrap)
    step('a second provider by name', lambda: equal(read(write(data_key('kmip:second'), value=1.5)), 1.5))

    delegated = step('create a data key in delegated mode', lambda: data_key(name='delegated', delegated=True))

    def delegated_on_server():
        master = stored(delegated)['masterKey']
        equal(master['delegated'], True)
        with ProxyKmipClient(**kmip) as client:
            key = client.get(master['keyId'])
            equal((key.cryptographic_algorithm, key.cryptographic_length), (enums.CryptographicAlgorithm.AES, 256))
        return master['keyId']

    delegated_identifier = step('the server has an AES-256 key for it', delegated_on_server)
    delegated_secret = step('encrypt in delegated mode', lambda: write(delegated, value='delegated'))
    step('decrypt in delegated mode', lambda: equal(read(delegated_secret), 'delegated'))

    def again():
        equal(read(write(data_key(keyId=delegated_identifier, delegated=True), value=True)), True)

    step('a second data key under the delegated key', again)

    def lost(key):
        one = stored(key)['masterKey']['keyId']
        with ProxyKmipClient(**kmip) as client:
            client.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, one)
            client.destroy(one)

    step('revoke and destroy both keys on the server', lambda: [lost(first), lost(delegated)])
    step('decrypt fails clearly', lambda: fails(lambda: read(secret), 'destroyed'))
    step('encrypt fails clearly', lambda: fails(lambda: write(first), 'destroyed'))
    step('decrypt in delegated mode fails clearly', lambda: fails(lambda: read(delegated_secret), 'destroyed'))
    step('an unknown key fails clearly', lambda: fails(lambda: data_key(keyId='nobody'), 'Item Not Found'))

    def stranger():
        with Application(vault, host, port, folder, tlsCAFile=None) as client:
            client.create_data_key('kmip')

    step('a server that the CA does not know is refused', lambda: fails(stranger, 'certificate'))

    def many():
        with application() as client:
            keys = [client.create_data_key('kmip') for _ in range(8)]
        equal(len(set(keys)), 8)
        for key in keys:
            equal(read(write(key, value='x')), 'x')

    step('eight keys, each with connections of its own', many)
    steps.finish()


if __name__ == '__main__':
    sys.exit(main())
