package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

const root = "../.."

// TestGeneratedFilesAreFresh generates into memory and compares with what is
// committed.
func TestGeneratedFilesAreFresh(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the structs say (%v). Run: go generate ./internal/core/wire", name, err)
		}
	}
	stale, err := leftovers(root, files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range stale {
		t.Errorf("%s is not generated any more. Run: go generate ./internal/core/wire", name)
	}
}

// TestRunTwice writes, removes what is left over, and leaves alone what is up
// to date.
func TestRunTwice(t *testing.T) {
	dir := t.TempDir()
	wire := filepath.Join(dir, wireDir)
	if err := os.MkdirAll(wire, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(wire, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("ping.go", "package wire\n\n// Ping asks.\n//\n//wire:message PING flat c2s\ntype Ping struct {\n\tAt int64 `wire:\"at\"`\n}\n")
	write("gone.gen.go", "package wire\n")
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(wire, "gone.gen.go")); !os.IsNotExist(err) {
		t.Errorf("gone.gen.go is still there: %v", err)
	}
	generated := filepath.Join(wire, "ping.gen.go")
	if err := os.Chmod(generated, 0o444); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(generated)
	if err != nil {
		t.Fatal(err)
	}
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(generated)
	if err != nil {
		t.Fatal(err)
	}
	if !after.ModTime().Equal(before.ModTime()) {
		t.Error("an up-to-date file was written again")
	}
}
