package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"math/big"
	"time"

	"github.com/gemalto/kmip-go"
	"github.com/gemalto/kmip-go/kmip14"
	"github.com/gemalto/kmip-go/ttlv"
)

type identified struct{ UniqueIdentifier string }

type cipherRequest struct {
	UniqueIdentifier        string
	CryptographicParameters kmip.CryptographicParameters
	Data                    []byte
	IVCounterNonce          []byte
}

type cipherAnswer struct {
	UniqueIdentifier string
	Data             []byte
	IVCounterNonce   []byte
}

type revokeRequest struct {
	UniqueIdentifier string
	RevocationReason struct{ RevocationReasonCode kmip14.RevocationReasonCode }
}

type locateRequest struct{ Attribute []kmip.Attribute }
type locateAnswer struct{ UniqueIdentifier []string }

type attributesRequest struct {
	UniqueIdentifier string
	AttributeName    []string
}
type attributesAnswer struct {
	UniqueIdentifier string
	Attribute        []kmip.Attribute
}

func serial() *big.Int {
	number, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(err)
	return number
}

// gemaltoCall makes a call as Rook and ceph-csi do: a connection of its own, Discover Versions for 1.4 alone, then the operation with a random
// Unique Batch Item ID that must come back.
func gemaltoCall(where place, operation kmip14.Operation, request, answer any) error {
	config := where.tls()
	conn, err := tls.Dial("tcp", where.Address, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	decoder := ttlv.NewDecoder(bufio.NewReader(conn))
	version := kmip.ProtocolVersion{ProtocolVersionMajor: 1, ProtocolVersionMinor: 4}

	send := func(operation kmip14.Operation, payload, into any) error {
		id := make([]byte, 16)
		rand.Read(id)
		message, err := ttlv.Marshal(kmip.RequestMessage{
			RequestHeader: kmip.RequestHeader{ProtocolVersion: version, BatchCount: 1},
			BatchItem:     []kmip.RequestBatchItem{{UniqueBatchItemID: id, Operation: operation, RequestPayload: payload}},
		})
		if err != nil {
			return err
		}
		if _, err := conn.Write(message); err != nil {
			return err
		}
		raw, err := decoder.NextTTLV()
		if err != nil {
			return err
		}
		var response kmip.ResponseMessage
		if err := ttlv.Unmarshal(raw, &response); err != nil {
			return err
		}
		if response.ResponseHeader.ProtocolVersion != version || len(response.BatchItem) != 1 {
			return errOther
		}
		item := response.BatchItem[0]
		if !bytes.Equal(item.UniqueBatchItemID, id) {
			return fmt.Errorf("Unique Batch Item ID %x instead of %x", item.UniqueBatchItemID, id)
		}
		if item.ResultStatus != kmip14.ResultStatusSuccess {
			return fmt.Errorf("%v: %v: %s", item.ResultStatus, item.ResultReason, item.ResultMessage)
		}
		return ttlv.Unmarshal(item.ResponsePayload.(ttlv.TTLV), into)
	}

	var versions kmip.DiscoverVersionsResponsePayload
	offer := kmip.DiscoverVersionsRequestPayload{ProtocolVersion: []kmip.ProtocolVersion{version}}
	if err := send(kmip14.OperationDiscoverVersions, offer, &versions); err != nil {
		return err
	}
	if len(versions.ProtocolVersion) != 1 || versions.ProtocolVersion[0] != version {
		return fmt.Errorf("versions %v", versions.ProtocolVersion)
	}
	return send(operation, request, answer)
}

func gemalto(s *steps, where place) {
	s.group = "gemalto/kmip-go"
	call := func(operation kmip14.Operation, request, answer any) error {
		return gemaltoCall(where, operation, request, answer)
	}
	attribute := kmip.NewAttributeFromTag
	material := make([]byte, 32)
	rand.Read(material)
	name := kmip.Name{NameValue: rand.Text(), NameType: kmip14.NameTypeUninterpretedTextString}
	var id string
	var done identified

	s.step("register as Rook does", func() error {
		request := kmip.RegisterRequestPayload{ObjectType: kmip14.ObjectTypeSymmetricKey, SymmetricKey: &kmip.SymmetricKey{KeyBlock: kmip.KeyBlock{
			KeyFormatType:          kmip14.KeyFormatTypeRaw,
			KeyValue:               &kmip.KeyValue{KeyMaterial: material},
			CryptographicLength:    256,
			CryptographicAlgorithm: kmip14.CryptographicAlgorithmAES,
		}}}
		request.TemplateAttribute.Append(kmip14.TagCryptographicUsageMask, kmip14.CryptographicUsageMaskExport)
		var answer kmip.RegisterResponsePayload
		err := call(kmip14.OperationRegister, request, &answer)
		id = answer.UniqueIdentifier
		return err
	})
	s.step("get", func() error {
		var answer kmip.GetResponsePayload
		must(call(kmip14.OperationGet, kmip.GetRequestPayload{UniqueIdentifier: id}, &answer))
		must(equal(answer.SymmetricKey.KeyBlock.CryptographicLength, 256))
		return equal(bytes.Equal(answer.SymmetricKey.KeyBlock.KeyValue.KeyMaterial.([]byte), material), true)
	})
	s.step("destroy without revoke", func() error { return call(kmip14.OperationDestroy, identified{id}, &done) })
	s.step("get what is destroyed fails", func() error {
		var answer kmip.GetResponsePayload
		if call(kmip14.OperationGet, kmip.GetRequestPayload{UniqueIdentifier: id}, &answer) == nil {
			return errOther
		}
		return nil
	})
	s.step("create", func() error {
		request := kmip.CreateRequestPayload{ObjectType: kmip14.ObjectTypeSymmetricKey}
		request.TemplateAttribute.Append(kmip14.TagCryptographicAlgorithm, kmip14.CryptographicAlgorithmAES)
		request.TemplateAttribute.Append(kmip14.TagCryptographicLength, 256)
		request.TemplateAttribute.Append(kmip14.TagCryptographicUsageMask, kmip14.CryptographicUsageMaskEncrypt|kmip14.CryptographicUsageMaskDecrypt)
		request.TemplateAttribute.Append(kmip14.TagName, name)
		var answer kmip.CreateResponsePayload
		err := call(kmip14.OperationCreate, request, &answer)
		id = answer.UniqueIdentifier
		return err
	})
	s.step("activate", func() error { return call(kmip14.OperationActivate, identified{id}, &done) })
	s.step("locate", func() error {
		var answer locateAnswer
		must(call(kmip14.OperationLocate, locateRequest{[]kmip.Attribute{attribute(kmip14.TagName, 0, name)}}, &answer))
		must(equal(len(answer.UniqueIdentifier), 1))
		return equal(answer.UniqueIdentifier[0], id)
	})
	s.step("get attributes", func() error {
		var answer attributesAnswer
		must(call(kmip14.OperationGetAttributes, attributesRequest{id, []string{"State", "Cryptographic Length"}}, &answer))
		return equal(len(answer.Attribute), 2)
	})
	s.step("encrypt and decrypt as ceph-csi does", func() error {
		parameters := kmip.CryptographicParameters{
			PaddingMethod:          kmip14.PaddingMethodPKCS5,
			CryptographicAlgorithm: kmip14.CryptographicAlgorithmAES,
			BlockCipherMode:        kmip14.BlockCipherModeCBC,
		}
		iv := make([]byte, 16)
		rand.Read(iv)
		var sealed, opened cipherAnswer
		must(call(kmip14.OperationEncrypt, cipherRequest{id, parameters, material, iv}, &sealed))
		must(call(kmip14.OperationDecrypt, cipherRequest{id, parameters, sealed.Data, iv}, &opened))
		return equal(bytes.Equal(opened.Data, material), true)
	})
	s.step("revoke and destroy", func() error {
		request := revokeRequest{UniqueIdentifier: id}
		request.RevocationReason.RevocationReasonCode = kmip14.RevocationReasonCodeCessationOfOperation
		must(call(kmip14.OperationRevoke, request, &done))
		return call(kmip14.OperationDestroy, identified{id}, &done)
	})
}
