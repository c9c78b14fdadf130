// The life of a scope with HashiCorp's own client: mounts, configuration, role, credential, lookup, revocation, and the end of all.
// usage: main ADDRESS TOKEN
package main

import (
	"fmt"
	"os"
	"reflect"

	vault "github.com/hashicorp/vault/api"
)

var passed, failed int

func check(name string, good bool, what ...any) {
	if good {
		passed++
		return
	}
	failed++
	fmt.Println(append([]any{"FAILED", name}, what...)...)
}

func must[T any](name string) func(T, error) T {
	return func(value T, err error) T {
		check(name, err == nil, err)
		return value
	}
}

func done(name string, err error) { check(name, err == nil, err) }

func main() {
	config := vault.DefaultConfig()
	config.Address = os.Args[1]
	client, err := vault.NewClient(config)
	if err != nil {
		panic(err)
	}
	client.SetToken(os.Args[2])
	logical, sys := client.Logical(), client.Sys()

	health := must[*vault.HealthResponse]("health")(sys.Health())
	check("health says that all is well", health != nil && health.Initialized && !health.Sealed, health)
	status := must[*vault.SealStatusResponse]("seal status")(sys.SealStatus())
	check("the version opens named CAs", status != nil && status.Version == "2.0.0+ent", status)
	self := must[*vault.Secret]("lookup-self")(client.Auth().Token().LookupSelf())
	check("it is the root token", self != nil && reflect.DeepEqual(self.Data["policies"], []any{"root"}), self)

	done("enable", sys.Mount("go", &vault.MountInput{Type: "kmip", Description: "of the Go client"}))
	check("enable twice", sys.Mount("go", &vault.MountInput{Type: "kmip"}) != nil)
	mounts := must[map[string]*vault.MountOutput]("mounts")(sys.ListMounts())
	check("the engine is among them", mounts["go/"] != nil && mounts["go/"].Description == "of the Go client", mounts)
	done("tune", sys.TuneMount("go", vault.MountConfigInput{DefaultLeaseTTL: "1h"}))
	done("move", sys.Remount("go", "go2"))

	missing, err := logical.Read("go2/config")
	check("no configuration yet", missing == nil && err == nil, missing, err)
	must[*vault.Secret]("config")(logical.Write("go2/config", map[string]any{"server_hostnames": []string{"localhost"}}))
	read := must[*vault.Secret]("read config")(logical.Read("go2/config"))
	check("defaults", read != nil && fmt.Sprint(read.Data["default_tls_client_ttl"]) == "1209600", read)
	must[*vault.Secret]("scope")(logical.Write("go2/scope/finance", nil))
	must[*vault.Secret]("role")(logical.Write("go2/scope/finance/role/app", map[string]any{"operation_get": true, "operation_create": true}))
	role := must[*vault.Secret]("read role")(logical.Read("go2/scope/finance/role/app"))
	check("granted flags alone", role != nil && role.Data["operation_get"] == true && role.Data["operation_destroy"] == nil, role)
	listed := must[*vault.Secret]("list")(logical.List("go2/scope"))
	check("the scope is listed", listed != nil && reflect.DeepEqual(listed.Data["keys"], []any{"finance"}), listed)

	made := must[*vault.Secret]("generate")(logical.Write("go2/scope/finance/role/app/credential/generate", map[string]any{"format": "pem"}))
	check("key and chain", made != nil && made.Data["private_key"] != nil && len(made.Data["ca_chain"].([]any)) == 2, made)
	serial := []string{fmt.Sprint(made.Data["serial_number"])}
	found := must[*vault.Secret]("lookup")(logical.ReadWithData("go2/scope/finance/role/app/credential/lookup", map[string][]string{"serial_number": serial}))
	check("no key is kept", found != nil && found.Data["certificate"] != nil && found.Data["private_key"] == nil, found)
	wrapping := must[*vault.Client]("another client")(client.Clone())
	wrapping.SetToken(os.Args[2])
	wrapping.SetWrappingLookupFunc(func(string, string) string { return "60s" })
	wrapped := must[*vault.Secret]("generate, wrapped")(wrapping.Logical().Write("go2/scope/finance/role/app/credential/generate", nil))
	check("nothing but a token", wrapped != nil && wrapped.Data == nil && wrapped.WrapInfo != nil, wrapped)
	unwrapped := must[*vault.Secret]("unwrap")(logical.Unwrap(wrapped.WrapInfo.Token))
	check("once", unwrapped != nil && unwrapped.Data["private_key"] != nil, unwrapped)
	_, err = logical.Unwrap(wrapped.WrapInfo.Token)
	check("and not twice", err != nil)
	must[*vault.Secret]("revoke")(logical.Write("go2/scope/finance/role/app/credential/revoke", map[string]any{"serial_number": serial[0]}))
	gone, err := logical.ReadWithData("go2/scope/finance/role/app/credential/lookup", map[string][]string{"serial_number": serial})
	check("it is gone", gone == nil && err == nil, gone, err)

	_, err = logical.Delete("go2/scope/finance/role/app")
	done("delete the role", err)
	_, err = logical.Delete("go2/scope/finance")
	done("delete the scope", err)
	done("disable", sys.Unmount("go2"))
	left, err := logical.Read("go2/config")
	check("nothing is there any more", left == nil && err == nil, left, err)

	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
