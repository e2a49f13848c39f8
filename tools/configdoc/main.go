// Configdoc writes docs/configuration.md from the definition of the options.
//
// It is run by `make gen`; a test of package config fails when its output is
// not what is in the repository.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/topgunbuild/topgun-go/internal/app/config"
)

func main() {
	out := flag.String("o", "", "file to write")
	flag.Parse()
	if *out == "" {
		fmt.Fprintln(os.Stderr, "configdoc: -o FILE is required")
		os.Exit(2)
	}
	if err := os.WriteFile(*out, []byte(config.Document()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "configdoc:", err)
		os.Exit(1)
	}
}
