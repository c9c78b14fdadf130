// Drives a running `kmipd dev` with two Go clients: ovh/kmip-go, and gemalto/kmip-go as Rook and ceph-csi use it.
//
// usage: go run . DATA_DIR
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// place is a server's address and what a client needs to connect.
type place struct {
	Address string
	CA      string
	Cert    string
	Key     string
}

func (p place) tls() *tls.Config {
	ca, err := os.ReadFile(p.CA)
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	pair, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	must(err)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}

// steps runs steps, prints a line for each and counts them.
type steps struct {
	group          string
	passed, failed int
}

func (s *steps) step(name string, work func() error) {
	err := attempt(work)
	if err != nil {
		s.failed++
		fmt.Printf("FAILED %s %s: %v\n", s.group, name, err)
		return
	}
	s.passed++
	fmt.Printf("ok     %s %s\n", s.group, name)
}

// attempt turns a panic, which the clients' Must… functions end in, into an error.
func attempt(work func() error) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("%v", caught)
		}
	}()
	return work()
}

func equal[T comparable](actual, expected T) error {
	if actual != expected {
		return fmt.Errorf("%v instead of %v", actual, expected)
	}
	return nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . DATA_DIR")
		os.Exit(2)
	}
	var listeners struct{ KMIP string }
	text, err := os.ReadFile(filepath.Join(os.Args[1], "listeners.json"))
	must(err)
	must(json.Unmarshal(text, &listeners))
	file := func(name string) string { return filepath.Join(os.Args[1], "clients", "default", name) }
	where := place{listeners.KMIP, file("ca.pem"), file("cert.pem"), file("key.pem")}

	s := &steps{}
	ovh(s, where)
	gemalto(s, where)
	fmt.Printf("%d passed, %d failed\n", s.passed, s.failed)
	if s.failed > 0 || s.passed == 0 {
		os.Exit(1)
	}
}
