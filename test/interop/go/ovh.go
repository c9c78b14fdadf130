package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	kmip "github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"
)

const encryptDecrypt = kmip.CryptographicUsageEncrypt | kmip.CryptographicUsageDecrypt

var errOther = errors.New("what came back is something else")

func ovh(s *steps, where place) {
	connect := func(options ...kmipclient.Option) *kmipclient.Client {
		all := append([]kmipclient.Option{kmipclient.WithRootCAFile(where.CA), kmipclient.WithClientCertFiles(where.Cert, where.Key)}, options...)
		client, err := kmipclient.Dial(where.Address, all...)
		must(err)
		return client
	}
	s.group = "ovh/kmip-go"
	s.step("negotiates 1.4", func() error {
		client := connect()
		defer client.Close()
		return equal(client.Version(), kmip.V1_4)
	})
	for _, version := range []kmip.ProtocolVersion{kmip.V1_0, kmip.V1_1, kmip.V1_2, kmip.V1_3, kmip.V1_4} {
		client := connect(kmipclient.EnforceVersion(version))
		s.group = fmt.Sprintf("ovh/kmip-go %d.%d", version.ProtocolVersionMajor, version.ProtocolVersionMinor)
		lifecycle(s, client)
		registration(s, client)
		if version.ProtocolVersionMinor >= 2 {
			cryptography(s, client, version.ProtocolVersionMinor >= 4)
		}
		client.Close()
	}
}

func stateOf(client *kmipclient.Client, id string) kmip.State {
	for _, attribute := range client.GetAttributes(id, kmip.AttributeNameState).MustExec().Attribute {
		return attribute.AttributeValue.(kmip.State)
	}
	return 0
}

func remove(client *kmipclient.Client, ids ...string) {
	for _, id := range ids {
		if stateOf(client, id) == kmip.StateActive {
			client.Revoke(id).WithRevocationReasonCode(kmip.RevocationReasonCodeCessationOfOperation).MustExec()
		}
		client.Destroy(id).MustExec()
	}
}

func lifecycle(s *steps, client *kmipclient.Client) {
	name := rand.Text()
	var id string
	s.step("query", func() error {
		found := client.Query().Operations().Objects().ServerInformation().MustExec()
		if !slices.Contains(found.Operations, kmip.OperationCreate) || len(found.ObjectType) == 0 {
			return errOther
		}
		return nil
	})
	s.step("create", func() error {
		id = client.Create().AES(256, encryptDecrypt).WithName(name).WithAttribute("x-Purpose", "interop").MustExec().UniqueIdentifier
		return nil
	})
	s.step("get", func() error {
		key, err := client.Get(id).MustExec().Object.(*kmip.SymmetricKey).KeyMaterial()
		must(err)
		return equal(len(key), 32)
	})
	s.step("locate", func() error {
		found := client.Locate().WithName(name).WithObjectType(kmip.ObjectTypeSymmetricKey).MustExec().UniqueIdentifier
		if !slices.Equal(found, []string{id}) {
			return errOther
		}
		found = client.Locate().WithAttribute("x-Purpose", "interop").WithMaxItems(1).MustExec().UniqueIdentifier
		return equal(len(found), 1)
	})
	s.step("attributes", func() error {
		names := client.GetAttributeList(id).MustExec().AttributeName
		if !slices.Contains(names, kmip.AttributeNameState) || !slices.Contains(names, "x-Purpose") {
			return errOther
		}
		client.GetAttributes(id).MustExec()
		client.AddAttribute(id, "x-Number", int32(7)).MustExec()
		changed := client.ModifyAttribute(id, "x-Number", int32(8)).MustExec()
		must(equal(changed.Attribute.AttributeValue.(ttlv.Value).Value, any(int32(8))))
		client.DeleteAttribute(id, "x-Number").MustExec()
		return equal(len(client.GetAttributes(id, "x-Number").MustExec().Attribute), 0)
	})
	s.step("activate", func() error {
		must(equal(stateOf(client, id), kmip.StatePreActive))
		client.Activate(id).MustExec()
		return equal(stateOf(client, id), kmip.StateActive)
	})
	s.step("rekey", func() error {
		newer := client.Rekey(id).MustExec().UniqueIdentifier
		if newer == id {
			return errOther
		}
		remove(client, newer)
		return nil
	})
	s.step("revoke and destroy", func() error {
		client.Revoke(id).WithRevocationReasonCode(kmip.RevocationReasonCodeSuperseded).WithRevocationMessage("replaced").MustExec()
		must(equal(stateOf(client, id), kmip.StateDeactivated))
		client.Destroy(id).MustExec()
		return nil
	})
	s.step("batch with placeholder", func() error {
		answers := client.Create().AES(128, encryptDecrypt).
			Then(func(client *kmipclient.Client) kmipclient.PayloadBuilder { return client.Activate("") }).
			Then(func(client *kmipclient.Client) kmipclient.PayloadBuilder { return client.Get("") }).
			Then(func(client *kmipclient.Client) kmipclient.PayloadBuilder {
				return client.Revoke("").WithRevocationReasonCode(kmip.RevocationReasonCodeCessationOfOperation)
			}).
			Then(func(client *kmipclient.Client) kmipclient.PayloadBuilder { return client.Destroy("") }).
			MustExec().MustUnwrap()
		return equal(len(answers), 5)
	})
	s.step("unknown object", func() error {
		_, err := client.Get("00000000-0000-4000-8000-000000000000").Exec()
		if err == nil || !strings.Contains(err.Error(), "ItemNotFound") {
			return fmt.Errorf("%w: %v", errOther, err)
		}
		return nil
	})
}

func registration(s *steps, client *kmipclient.Client) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	secret := []byte("correct horse battery staple")
	material := make([]byte, 32)
	rand.Read(material)

	register := func(name string, ask func(kmipclient.ExecRegisterWantType) kmipclient.ExecRegister, check func(kmip.Object) error) {
		s.step("register and get "+name, func() error {
			id := ask(client.Register()).WithName(rand.Text()).MustExec().UniqueIdentifier
			defer remove(client, id)
			return check(client.Get(id).MustExec().Object)
		})
	}
	register("symmetric key", func(r kmipclient.ExecRegisterWantType) kmipclient.ExecRegister {
		return r.SymmetricKey(kmip.CryptographicAlgorithmAES, encryptDecrypt, material)
	}, func(object kmip.Object) error {
		found, err := object.(*kmip.SymmetricKey).KeyMaterial()
		must(err)
		return equal(bytes.Equal(found, material), true)
	})
	register("secret data", func(r kmipclient.ExecRegisterWantType) kmipclient.ExecRegister {
		return r.Secret(kmip.SecretDataTypePassword, secret)
	}, func(object kmip.Object) error {
		found, err := object.(*kmip.SecretData).Data()
		must(err)
		return equal(string(found), string(secret))
	})
	formats := map[string]kmipclient.KeyFormat{"transparent": kmipclient.Transparent, "PKCS#1": kmipclient.PKCS1, "PKCS#8": kmipclient.PKCS8}
	for name, format := range formats {
		register("RSA private key, "+name, func(r kmipclient.ExecRegisterWantType) kmipclient.ExecRegister {
			return r.WithKeyFormat(format).RsaPrivateKey(rsaKey, kmip.CryptographicUsageSign)
		}, func(object kmip.Object) error {
			found, err := object.(*kmip.PrivateKey).RSA()
			must(err)
			return equal(found.Equal(rsaKey), true)
		})
	}
	for name, format := range map[string]kmipclient.KeyFormat{"transparent": kmipclient.Transparent, "X.509": kmipclient.X509} {
		register("RSA public key, "+name, func(r kmipclient.ExecRegisterWantType) kmipclient.ExecRegister {
			return r.WithKeyFormat(format).RsaPublicKey(&rsaKey.PublicKey, kmip.CryptographicUsageVerify)
		}, func(object kmip.Object) error {
			found, err := object.(*kmip.PublicKey).RSA()
			must(err)
			return equal(found.Equal(&rsaKey.PublicKey), true)
		})
	}
	for name, format := range map[string]kmipclient.KeyFormat{"transparent": kmipclient.Transparent, "SEC1": kmipclient.SEC1, "PKCS#8": kmipclient.PKCS8} {
		register("EC private key, "+name, func(r kmipclient.ExecRegisterWantType) kmipclient.ExecRegister {
			return r.WithKeyFormat(format).EcdsaPrivateKey(ecKey, kmip.CryptographicUsageSign)
		}, func(object kmip.Object) error {
			found, err := object.(*kmip.PrivateKey).ECDSA()
			must(err)
			return equal(found.Equal(ecKey), true)
		})
	}
	s.step("register and get certificate", func() error {
		template := &x509.Certificate{SerialNumber: serial(), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &ecKey.PublicKey, ecKey)
		must(err)
		id := client.Register().Certificate(kmip.CertificateTypeX_509, der).MustExec().UniqueIdentifier
		found := client.Get(id).MustExec().Object.(*kmip.Certificate)
		remove(client, id)
		return equal(bytes.Equal(found.CertificateValue, der), true)
	})
}

func cryptography(s *steps, client *kmipclient.Client, hasAuthenticated bool) {
	text := []byte("The quick brown fox jumps over the lazy dog")
	id := client.Create().AES(256, encryptDecrypt).MustExec().UniqueIdentifier
	client.Activate(id).MustExec()
	modes := map[string]kmip.CryptographicParameters{
		"CBC": {CryptographicAlgorithm: kmip.CryptographicAlgorithmAES, BlockCipherMode: kmip.BlockCipherModeCBC, PaddingMethod: kmip.PaddingMethodPKCS5},
		"CTR": {CryptographicAlgorithm: kmip.CryptographicAlgorithmAES, BlockCipherMode: kmip.BlockCipherModeCTR},
	}
	sizes := map[string]int{"CBC": 16, "CTR": 16, "GCM": 12}
	if hasAuthenticated {
		modes["GCM"] = kmip.AES_GCM
	}
	for mode, parameters := range modes {
		s.step("encrypt and decrypt "+mode, func() error {
			iv := make([]byte, sizes[mode])
			rand.Read(iv)
			sealed := client.Encrypt(id).WithCryptographicParameters(parameters).WithIvCounterNonce(iv).Data(text).MustExec()
			opening := client.Decrypt(id).WithCryptographicParameters(parameters).WithIvCounterNonce(iv)
			if mode == "GCM" {
				opening = opening.WithAuthTag(sealed.AuthenticatedEncryptionTag)
			}
			return equal(string(opening.Data(sealed.Data).MustExec().Data), string(text))
		})
	}
	if hasAuthenticated {
		s.step("encrypt by name in one batch", func() error {
			name := rand.Text()
			named := client.Create().AES(256, encryptDecrypt).WithName(name).MustExec().UniqueIdentifier
			client.Activate(named).MustExec()
			iv := make([]byte, 12)
			rand.Read(iv)
			answers := client.Locate().WithName(name).Then(func(client *kmipclient.Client) kmipclient.PayloadBuilder {
				return client.Encrypt("").WithCryptographicParameters(kmip.AES_GCM).WithIvCounterNonce(iv).WithAAD([]byte("aad")).Data(text)
			}).MustExec(kmipclient.OnBatchErr(kmip.BatchErrorContinuationOptionStop)).MustUnwrap()
			sealed := answers[1].(*payloads.EncryptResponsePayload)
			opened := client.Decrypt(named).WithCryptographicParameters(kmip.AES_GCM).WithIvCounterNonce(iv).WithAAD([]byte("aad")).
				WithAuthTag(sealed.AuthenticatedEncryptionTag).Data(sealed.Data).MustExec()
			remove(client, named)
			return equal(string(opened.Data), string(text))
		})
	}
	remove(client, id)

	digest := sha256.Sum256(text)
	pairs := map[string]kmipclient.ExecCreateKeyPairAttr{
		"RSA":   client.CreateKeyPair().RSA(2048, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify),
		"ECDSA": client.CreateKeyPair().ECDSA(kmip.RecommendedCurveP_256, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify),
	}
	for name, ask := range pairs {
		s.step("sign as crypto.Signer "+name, func() error {
			pair := ask.MustExec()
			ids := []string{pair.PrivateKeyUniqueIdentifier, pair.PublicKeyUniqueIdentifier}
			for _, one := range ids {
				client.Activate(one).MustExec()
			}
			defer remove(client, ids...)
			signer, err := client.Signer(context.Background(), ids[0], "")
			must(err)
			// Data by its digest is a field of 1.4 only.
			if !hasAuthenticated {
				return nil
			}
			signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
			must(err)
			switch public := signer.Public().(type) {
			case *rsa.PublicKey:
				return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature)
			case *ecdsa.PublicKey:
				return equal(ecdsa.VerifyASN1(public, digest[:], signature), true)
			}
			return errOther
		})
	}
	s.step("sign and verify on the server", func() error {
		pair := client.CreateKeyPair().RSA(2048, kmip.CryptographicUsageSign, kmip.CryptographicUsageVerify).MustExec()
		ids := []string{pair.PrivateKeyUniqueIdentifier, pair.PublicKeyUniqueIdentifier}
		for _, one := range ids {
			client.Activate(one).MustExec()
		}
		defer remove(client, ids...)
		parameters := kmip.CryptographicParameters{
			CryptographicAlgorithm: kmip.CryptographicAlgorithmRSA, HashingAlgorithm: kmip.HashingAlgorithmSHA_256, PaddingMethod: kmip.PaddingMethodPKCS1V1_5,
		}
		signature := client.Sign(ids[0]).WithCryptographicParameters(parameters).Data(text).MustExec().SignatureData
		verdict := client.SignatureVerify(ids[1]).WithCryptographicParameters(parameters).Data(text).Signature(signature).MustExec()
		return equal(verdict.ValidityIndicator, kmip.ValidityIndicatorValid)
	})
}
