// flux-substitute does what kustomize-controller does after a build (fluxcd/pkg/kustomize, kustomize_varsub.go): each
// object is written as YAML, its variables are replaced in that text, and the text is read again. Of its own it has
// lines of JSON in and out: {"object": …, "variables": {…}} becomes {"object": …} or {"error": "…"}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/fluxcd/pkg/envsubst"
	"sigs.k8s.io/yaml"
)

type request struct {
	Object    json.RawMessage   `json:"object"`
	Variables map[string]string `json:"variables"`
}

type answer struct {
	Object json.RawMessage `json:"object,omitempty"`
	Text   string          `json:"text,omitempty"`
	Error  string          `json:"error,omitempty"`
}

func main() {
	if len(os.Args) > 1 {
		fmt.Println(version())
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := out.Encode(substitute(asked)); err != nil {
			os.Exit(1)
		}
	}
}

// The controller survives what panics in it; so do these lines.
func substitute(asked request) (found answer) {
	defer func() {
		if broken := recover(); broken != nil {
			found = answer{Error: fmt.Sprint("panic: ", broken)}
		}
	}()
	text, err := yaml.JSONToYAML(asked.Object)
	if err != nil {
		return answer{Error: err.Error()}
	}
	output, err := envsubst.Eval(string(text), func(name string) (string, bool) {
		value, exists := asked.Variables[name]
		return strings.ReplaceAll(value, "\n", ""), exists
	})
	if err != nil {
		return answer{Error: err.Error()}
	}
	object, err := yaml.YAMLToJSON([]byte(output))
	if err != nil {
		return answer{Error: err.Error(), Text: output}
	}
	return answer{Object: object, Text: output}
}

func version() string {
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if module.Path == "github.com/fluxcd/pkg/envsubst" {
			return module.Version
		}
	}
	return "unknown"
}
