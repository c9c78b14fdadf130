// Every call of KES's own SDK against two nodes of the KES door on one key store.
// usage: main NODE NODE ADMIN-API-KEY APP-API-KEY STRANGER-API-KEY; a line on standard input says that the second node has ended
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/minio/kms-go/kes"
)

const many = 5000

var passed, failed int

func check(name string, good bool, what ...any) {
	if good {
		passed++
		return
	}
	failed++
	fmt.Println(append([]any{"FAILED", name}, what...)...)
}

func fine(name string, err error) { check(name, err == nil, err) }

// Errors are compared as MinIO does: the whole value, text included.
func is(name string, err error, wanted kes.Error) { check(name, err == wanted, err) }

func client(key string, endpoints ...string) (*kes.Client, kes.Identity) {
	parsed, err := kes.ParseAPIKey(key)
	if err != nil {
		panic(err)
	}
	certificate, err := kes.GenerateCertificate(parsed)
	if err != nil {
		panic(err)
	}
	made := kes.NewClientWithConfig(endpoints[0], &tls.Config{
		MinVersion:         tls.VersionTLS12,
		Certificates:       []tls.Certificate{certificate},
		InsecureSkipVerify: true,
	})
	made.Endpoints = endpoints
	return made, parsed.Identity()
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	first, second := os.Args[1], os.Args[2]
	admin, adminIdentity := client(os.Args[3], first, second)
	app, appIdentity := client(os.Args[4], first, second)
	stranger, _ := client(os.Args[5], first)

	server(ctx, admin)
	keys(ctx, admin, app, adminIdentity)
	strangers(ctx, app, stranger)
	identities(ctx, admin, app, adminIdentity, appIdentity)
	streams(ctx, admin)
	iterate(ctx, admin)
	losing(ctx, app)
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func server(ctx context.Context, admin *kes.Client) {
	version, err := admin.Version(ctx)
	check("Version", err == nil && version != "", version, err)
	ready, err := admin.IsReady(ctx)
	check("IsReady", ready && err == nil, err)
	state, err := admin.Status(ctx)
	// It is told in whole seconds, and servers that just started have none; either of the two may answer.
	deadline := time.Now().Add(10 * time.Second)
	for err == nil && state.UpTime == 0 && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
		state, err = admin.Status(ctx)
	}
	check("Status", err == nil && state.Version == version && state.UpTime > 0, state, err)
	apis, err := admin.APIs(ctx)
	check("APIs", err == nil && slices.ContainsFunc(apis, func(api kes.API) bool { return api.Path == "/v1/key/generate/" }), apis, err)
	metric, err := admin.Metrics(ctx)
	for err == nil && metric.UpTime == 0 && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
		metric, err = admin.Metrics(ctx)
	}
	check("Metrics", err == nil && metric.UpTime > 0, metric, err)
}

func keys(ctx context.Context, admin, app *kes.Client, adminIdentity kes.Identity) {
	fine("CreateKey", admin.CreateKey(ctx, "app-key"))
	is("CreateKey again", admin.CreateKey(ctx, "app-key"), kes.ErrKeyExists)
	info, err := admin.DescribeKey(ctx, "app-key")
	check("DescribeKey", err == nil && info.Name == "app-key" && info.CreatedBy == adminIdentity && time.Since(info.CreatedAt) < time.Hour, info, err)
	_, err = admin.DescribeKey(ctx, "none")
	is("DescribeKey of none", err, kes.ErrKeyNotFound)

	given := bytes.Repeat([]byte{7}, 32)
	for cipher, name := range map[kes.KeyAlgorithm]string{kes.AES256: "app-aes", kes.ChaCha20: "app-chacha"} {
		fine("ImportKey "+name, admin.ImportKey(ctx, name, &kes.ImportKeyRequest{Key: given, Cipher: cipher}))
		is("ImportKey again "+name, admin.ImportKey(ctx, name, &kes.ImportKeyRequest{Key: given, Cipher: cipher}), kes.ErrKeyExists)
		about := []byte("the context")
		sealed, err := app.Encrypt(ctx, name, []byte("plain"), about)
		fine("Encrypt with "+name, err)
		plain, err := app.Decrypt(ctx, name, sealed, about)
		check("Decrypt with "+name, err == nil && string(plain) == "plain", err)
		_, err = app.Decrypt(ctx, name, sealed, []byte("another"))
		is("Decrypt in another context "+name, err, kes.ErrDecrypt)
		sealed[3] ^= 1
		_, err = app.Decrypt(ctx, name, sealed, about)
		is("Decrypt what was bent "+name, err, kes.ErrDecrypt)
	}
	one, err := app.GenerateKey(ctx, "app-key", []byte("a"))
	check("GenerateKey", err == nil && len(one.Plaintext) == 32, err)
	plain, err := app.Decrypt(ctx, "app-key", one.Ciphertext, []byte("a"))
	check("GenerateKey and Decrypt", err == nil && bytes.Equal(plain, one.Plaintext), err)
	two, err := app.GenerateKey(ctx, "app-key", nil)
	check("GenerateKey makes another each time", err == nil && !bytes.Equal(one.Plaintext, two.Plaintext), err)
	_, err = app.GenerateKey(ctx, "app-none", nil)
	is("GenerateKey of none", err, kes.ErrKeyNotFound)

	mac, err := app.HMAC(ctx, "app-key", []byte("message"))
	check("HMAC", err == nil && len(mac) == 32, err)
	again, err := app.HMAC(ctx, "app-key", []byte("message"))
	check("HMAC again", err == nil && bytes.Equal(mac, again), err)

	fine("CreateKey to delete", admin.CreateKey(ctx, "short-lived"))
	fine("DeleteKey", admin.DeleteKey(ctx, "short-lived"))
	is("DeleteKey again", admin.DeleteKey(ctx, "short-lived"), kes.ErrKeyNotFound)
}

func strangers(ctx context.Context, app, stranger *kes.Client) {
	is("CreateKey without permission", app.CreateKey(ctx, "app-new"), kes.ErrNotAllowed)
	_, err := app.GenerateKey(ctx, "other", nil)
	is("GenerateKey of a key that no rule names", err, kes.ErrNotAllowed)
	is("a stranger", stranger.CreateKey(ctx, "mine"), kes.ErrNotAllowed)
	_, err = stranger.Version(ctx)
	fine("the version for a stranger", err)
}

func identities(ctx context.Context, admin, app *kes.Client, adminIdentity, appIdentity kes.Identity) {
	policies, _, err := admin.ListPolicies(ctx, "", -1)
	check("ListPolicies", err == nil && slices.Equal(policies, []string{"app"}), policies, err)
	policy, err := admin.GetPolicy(ctx, "app")
	_, allowed := policy.Allow["/v1/key/generate/app-*"]
	check("GetPolicy", err == nil && allowed, err)
	about, err := admin.DescribePolicy(ctx, "app")
	check("DescribePolicy", err == nil && about.Name == "app", about, err)
	_, err = admin.GetPolicy(ctx, "none")
	is("GetPolicy of none", err, kes.ErrPolicyNotFound)

	all, _, err := admin.ListIdentities(ctx, "", -1)
	check("ListIdentities", err == nil && slices.Contains(all, appIdentity) && slices.Contains(all, adminIdentity), all, err)
	info, err := admin.DescribeIdentity(ctx, appIdentity)
	check("DescribeIdentity", err == nil && info.Policy == "app" && !info.IsAdmin, info, err)
	_, err = admin.DescribeIdentity(ctx, kes.Identity("00"))
	is("DescribeIdentity of nobody", err, kes.ErrIdentityNotFound)
	self, _, err := admin.DescribeSelf(ctx)
	check("DescribeSelf of the admin", err == nil && self.IsAdmin && self.Identity == adminIdentity, self, err)
	self, own, err := app.DescribeSelf(ctx)
	check("DescribeSelf of another", err == nil && self.Identity == appIdentity && !self.IsAdmin && own != nil && len(own.Allow) > 0, self, own, err)
}

func streams(ctx context.Context, admin *kes.Client) {
	// Both nodes answer requests, and each has a log of its own.
	single := &kes.Client{Endpoints: admin.Endpoints[:1], HTTPClient: admin.HTTPClient}
	audit, err := single.AuditLog(ctx)
	if fine("AuditLog", err); err != nil {
		return
	}
	defer audit.Close()
	faults, err := single.ErrorLog(ctx)
	fine("ErrorLog", err)
	if err == nil {
		defer faults.Close()
	}
	heard := make(chan kes.AuditEvent, 100)
	go func() {
		for audit.Next() {
			heard <- audit.Event()
		}
		close(heard)
	}()
	for range 3 {
		_, err = single.DescribeKey(ctx, "app-key")
		fine("a request to be heard of", err)
	}
	timeout := time.After(20 * time.Second)
	for {
		select {
		case event := <-heard:
			if event.APIPath == "/v1/key/describe/app-key" {
				check("the audit stream", event.StatusCode == 200 && event.ClientIP.IsLoopback() && time.Since(event.Timestamp) < time.Hour, event)
				return
			}
		case <-timeout:
			check("the audit stream", false, "nothing came")
			return
		}
	}
}

func iterate(ctx context.Context, admin *kes.Client) {
	names := make(chan string)
	var group sync.WaitGroup
	var errs sync.Map
	for range 16 {
		group.Add(1)
		go func() {
			defer group.Done()
			for name := range names {
				if err := admin.CreateKey(ctx, name); err != nil {
					errs.Store(name, err)
				}
			}
		}()
	}
	wanted := make([]string, many)
	for i := range wanted {
		wanted[i] = fmt.Sprintf("many-%05d", i)
		names <- wanted[i]
	}
	close(names)
	group.Wait()
	errs.Range(func(name, err any) bool { check("CreateKey of many", false, name, err); return true })

	iter := &kes.ListIter[string]{NextFunc: admin.ListKeys}
	var got []string
	name, err := iter.SeekTo(ctx, "many-")
	for ; err == nil; name, err = iter.Next(ctx) {
		got = append(got, name)
	}
	check("the iterator ends", errors.Is(err, io.EOF), err)
	check("the iterator gives all, in order, once", slices.Equal(got, wanted), len(got))
	whole := &kes.ListIter[string]{NextFunc: admin.ListKeys}
	count := 0
	for name, err = whole.Next(ctx); err == nil; name, err = whole.Next(ctx) {
		count++
	}
	check("without a prefix there are the others too", count == many+3, count)
}

// Half of the requests go to a node that is gone: the SDK takes it out of its rotation.
func losing(ctx context.Context, app *kes.Client) {
	fmt.Println("end the second node")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		check("to be told that the node has ended", false, err)
		return
	}
	good := 0
	for range 100 {
		if _, err := app.GenerateKey(ctx, "app-key", nil); err == nil {
			good++
		}
	}
	check("requests with one node of two gone", good >= 99, good)
}
