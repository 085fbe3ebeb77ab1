// transit is the transit secrets engine of HashiCorp Vault, the very code that encrypts and decrypts there, behind as
// much of Vault's HTTP interface as its clients use for it: a token, paths below /v1/, data and errors in JSON. The
// whole of Vault takes minutes to build. It tells its address, and each request it gets, on a line of its own.
package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

type server struct {
	mutex   sync.Mutex
	token   string
	mount   string
	backend logical.Backend
	storage logical.Storage
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(version())
		return
	}
	certificate := flag.String("tls-cert", "", "certificate file; none: plain HTTP")
	key := flag.String("tls-key", "", "private key file")
	mount := flag.String("mount", "transit", "path of the engine")
	flag.Parse()
	storage := &logical.InmemStorage{}
	config := &logical.BackendConfig{
		StorageView: storage,
		System:      logical.TestSystemView(),
		Logger:      hclog.NewNullLogger(),
	}
	backend, err := transit.Backend(context.Background(), config)
	exitOn(err)
	// The framework of this version wants the check that one path of the engine lacks.
	for _, path := range backend.Paths {
		if path.ExistenceCheck == nil {
			path.ExistenceCheck = func(context.Context, *logical.Request, *framework.FieldData) (bool, error) { return true, nil }
		}
	}
	exitOn(backend.Setup(context.Background(), config))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	exitOn(err)
	s := &server{token: os.Getenv("TRANSIT_TOKEN"), mount: *mount, backend: backend, storage: storage}
	fmt.Printf("listening %s\n", listener.Addr())
	if *certificate == "" {
		exitOn(http.Serve(listener, s))
	}
	exitOn(http.ServeTLS(listener, s, *certificate, *key))
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	fmt.Printf("%s %s\n", r.Method, r.URL.Path)
	given := r.Header.Get("X-Vault-Token")
	if s.token == "" || subtle.ConstantTimeCompare([]byte(given), []byte(s.token)) != 1 {
		answer(w, http.StatusForbidden, map[string]any{"errors": []string{"permission denied"}})
		return
	}
	path, found := strings.CutPrefix(r.URL.Path, "/v1/"+s.mount+"/")
	if !found {
		answer(w, http.StatusNotFound, map[string]any{"errors": []string{"no handler for route"}})
		return
	}
	data := map[string]any{}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &data)
	}
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"errors": []string{"error parsing JSON"}})
		return
	}
	var operation logical.Operation = logical.UpdateOperation
	if r.Method == http.MethodGet {
		operation = logical.ReadOperation
	}
	got, err := s.backend.HandleRequest(r.Context(), &logical.Request{
		Operation: operation, Path: path, Data: data, Storage: s.storage, ClientToken: given,
	})
	switch {
	case err == logical.ErrUnsupportedPath:
		answer(w, http.StatusNotFound, map[string]any{"errors": []string{"unsupported path"}})
	case got.IsError():
		answer(w, http.StatusBadRequest, map[string]any{"errors": []string{got.Error().Error()}})
	case err != nil:
		answer(w, http.StatusInternalServerError, map[string]any{"errors": []string{err.Error()}})
	case got == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		answer(w, http.StatusOK, map[string]any{"data": got.Data})
	}
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func exitOn(err error) {
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func version() string {
	if info, found := debug.ReadBuildInfo(); found {
		for _, module := range info.Deps {
			if module.Path == "github.com/hashicorp/vault" {
				return module.Version
			}
		}
	}
	return "unknown"
}
