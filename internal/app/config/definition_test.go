package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestOptionsAreWellFormed(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	env := regexp.MustCompile(`^[A-Z]+(_[A-Z]+)*$`)
	seen := map[string]bool{}
	var groups []string
	for _, o := range Options() {
		if !name.MatchString(o.Name) || !env.MatchString(o.Env) {
			t.Errorf("%q, %q: names are lower-case words with dashes, variables upper-case words with underscores", o.Name, o.Env)
		}
		if seen[o.Name] || seen[o.Env] {
			t.Errorf("%s or %s is taken already", o.Name, o.Env)
		}
		seen[o.Name], seen[o.Env] = true, true
		if !strings.HasSuffix(o.Help, ".") || o.Allowed() == "" || strings.HasSuffix(o.Allowed(), ".") {
			t.Errorf("%s: the help ends with a full stop, what is allowed does not", o.Name)
		}
		if _, isSecret := o.value.(secret); isSecret != o.Secret || (o.Secret && !o.NoFlag) {
			t.Errorf("%s: a secret is marked as one and has no flag", o.Name)
		}
		if o.Default != "" {
			if err := o.value.set([]string{o.Default}); err != nil {
				t.Errorf("%s: the default %q is not allowed: %v", o.Name, o.Default, err)
			}
		}
		if len(groups) == 0 || groups[len(groups)-1] != o.Group {
			if slices.Contains(groups, o.Group) {
				t.Errorf("%s: the options of %q do not stand together", o.Name, o.Group)
			}
			groups = append(groups, o.Group)
		}
	}
}

// TestEveryFieldHasItsOption holds when each field of Config is filled by
// exactly one option, and each option but config fills one.
func TestEveryFieldHasItsOption(t *testing.T) {
	var c Config
	var file string
	filled := map[uintptr][]string{}
	for _, o := range define(&c, &file) {
		p := reflect.ValueOf(o.value).FieldByName("to").Pointer()
		filled[p] = append(filled[p], o.Name)
	}
	var leaves func(v reflect.Value, path string)
	leaves = func(v reflect.Value, path string) {
		for field, f := range v.Fields() {
			at := path + field.Name
			if f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[Secret]() {
				leaves(f, at+".")
				continue
			}
			if at == "Warnings" {
				continue
			}
			p := f.Addr().Pointer()
			if len(filled[p]) != 1 {
				t.Errorf("Config.%s is filled by %d options %q, want one: see define in definition.go", at, len(filled[p]), filled[p])
			}
			delete(filled, p)
		}
	}
	leaves(reflect.ValueOf(&c).Elem(), "")
	delete(filled, reflect.ValueOf(&file).Pointer())
	for _, names := range filled {
		t.Errorf("option %q fills nothing in Config", names)
	}
}

func TestSizes(t *testing.T) {
	tests := []struct {
		text string
		want int64
		ok   bool
	}{
		{"0", 0, true},
		{"1024", 1024, true},
		{"7B", 7, true},
		{"2MiB", 2 << 20, true},
		{"2MB", 2_000_000, true},
		{"3kB", 3000, true},
		{"1GiB", 1 << 30, true},
		{"9223372036854775807", 1<<63 - 1, true},
		{"9223372036854775807KiB", 0, false},
		{"9223372036854775808", 0, false},
		{"-1", 0, false},
		{"1.5MiB", 0, false},
		{"1 MiB", 0, false},
		{"MiB", 0, false},
		{"", 0, false},
		{"2mb", 0, false},
	}
	for _, tt := range tests {
		if got, ok := parseSize(tt.text); got != tt.want || ok != tt.ok {
			t.Errorf("parseSize(%q) = %d, %v; want %d, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
	for n, want := range map[int64]string{0: "0", 1: "1", 1000: "1000", 1 << 10: "1KiB", 1<<10 + 1: "1025", 256 << 20: "256MiB", 3 << 30: "3GiB"} {
		if got := formatSize(n); got != want {
			t.Errorf("formatSize(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestOriginsAndHosts(t *testing.T) {
	for s, want := range map[string]bool{
		"*": true, "http://a": true, "https://a.example:8443": true, "http://[::1]:80": true,
		"": false, "a.example": false, "tauri://localhost": true, "https://": false, "https://a/": false,
		"https://user@a": false, "https://a?b": false, "null": true, "nil": false, "https://:80": false,
	} {
		if got := isOrigin(s); got != want {
			t.Errorf("isOrigin(%q) = %v", s, got)
		}
	}
	for s, want := range map[string]bool{
		"localhost": true, "grid.example.com": true, "10.0.0.1": true, "::1": true, "a-b": true,
		"*": true, "": false, "a:80": false, "a b": false, "*.a": false, "ü.example": false,
	} {
		if got := isHostName(s); got != want {
			t.Errorf("isHostName(%q) = %v", s, got)
		}
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "configuration.md")
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Document() {
		t.Errorf("docs/configuration.md is not what the definition says: run `make gen` and commit the result")
	}
}
