package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sources builds Sources from "flag=value", "NAME=value" and the text of a file
// called topgun.yaml, which is named on the command line when not empty.
func sources(flags, environ []string, file string) Sources {
	src := Sources{Flags: map[string][]string{}, Environ: environ}
	for _, f := range flags {
		name, val, _ := strings.Cut(f, "=")
		src.Flags[name] = append(src.Flags[name], val)
	}
	if file != "" {
		src.Flags["config"] = append(src.Flags["config"], "topgun.yaml")
	}
	src.ReadFile = func(name string) ([]byte, error) {
		if name != "topgun.yaml" {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(file), nil
	}
	return src
}

// open is the least that a server needs to start.
func open(more ...string) []string {
	return append([]string{"no-auth=true", "storage=null"}, more...)
}

func TestWrongConfigurationIsRefused(t *testing.T) {
	tests := []struct {
		name  string
		flags []string
		env   []string
		file  string
		want  string // without the first line
	}{
		{
			name: "nothing given: both missing decisions are named",
			want: `jwt-secret: nobody could be let in: set JWT_SECRET to verify tokens, or TOPGUN_NO_AUTH=1 to serve without authentication on this machine only
			       data-dir: embedded storage needs a directory: set --data-dir or TOPGUN_DATA_DIR, or choose --storage null to keep nothing`,
		},
		{
			name:  "everything that is wrong is reported at once, in the order of the options",
			flags: []string{"port=abc", "log-level=loud"},
			env:   []string{"TOPGUN_MAX_KEY_BYTES=1", "TOPGUN_NO_AUTH=maybe"},
			file:  "idle-timeout: 10\nprot: 1\ndata-dir: here",
			want: `port = "abc" from flag --port: allowed is a whole number from 0 to 65535
			       no-auth = "maybe" from environment variable TOPGUN_NO_AUTH: allowed is 1, true, 0 or false
			       max-key-bytes = "1" from environment variable TOPGUN_MAX_KEY_BYTES: allowed is a size from 64 to 64KiB
			       idle-timeout = "10" from topgun.yaml line 1: allowed is a duration from 1s to 24h
			       log-level = "loud" from flag --log-level: allowed is debug, info, warn or error
			       topgun.yaml line 2: prot: there is no such option; the names are those of the flags of topgun serve`,
		},
		{
			name:  "a number outside its range",
			flags: open("port=65536"),
			want:  `port = "65536" from flag --port: allowed is a whole number from 0 to 65535`,
		},
		{
			name:  "a size that overflows",
			flags: open("outbox-bytes=99999999999GiB"),
			want:  `outbox-bytes = "99999999999GiB" from flag --outbox-bytes: allowed is a size from 64KiB to 1GiB`,
		},
		{
			name:  "a database without its URL",
			flags: []string{"no-auth=true"},
			env:   []string{"STORAGE_BACKEND=postgres"},
			want:  `database-url: postgres storage needs a database: set DATABASE_URL to postgres://user:password@host:port/database`,
		},
		{
			name:  "a URL of something else",
			flags: []string{"no-auth=true"},
			env:   []string{"STORAGE_BACKEND=postgres", "DATABASE_URL=mysql://root:horse@db/topgun"},
			want:  `database-url = (hidden) from environment variable DATABASE_URL: allowed is a URL that begins with postgres:// or postgresql://`,
		},
		{
			name:  "write-behind with nothing to write to before",
			flags: []string{"no-auth=true", "postgres-write=behind"},
			env:   []string{"STORAGE_BACKEND=postgres", "DATABASE_URL=postgres://db/topgun"},
			want:  `postgres-write = "behind" from flag --postgres-write: without a data directory a write is safe only in the database: choose through, or set --data-dir or TOPGUN_DATA_DIR`,
		},
		{
			name:  "a delay of what is waited for",
			flags: []string{"no-auth=true", "postgres-write=through", "postgres-delay=2s"},
			env:   []string{"STORAGE_BACKEND=postgres", "DATABASE_URL=postgres://db/topgun"},
			want:  `postgres-delay = "2s" from flag --postgres-delay: with postgres-write through clients wait for the database, so nothing is held back; leave it out, or choose behind`,
		},
		{
			name:  "a storage that nobody knows",
			flags: open("storage=floppy")[:1],
			env:   []string{"STORAGE_BACKEND=floppy"},
			want:  `storage = "floppy" from environment variable STORAGE_BACKEND: allowed is embedded, postgres or null`,
		},
		{
			name:  "a public address without authentication",
			flags: open("host=0.0.0.0"),
			want:  `host = "0.0.0.0" from flag --host: without authentication only a loopback address is allowed; set JWT_SECRET instead of TOPGUN_NO_AUTH, or permit it with TOPGUN_ALLOW_NO_AUTH_PUBLIC_BIND=1`,
		},
		{
			name:  "an address with a port",
			flags: open(),
			env:   []string{"TOPGUN_BIND_ADDR=127.0.0.1:8080"},
			want:  `host = "127.0.0.1:8080" from environment variable TOPGUN_BIND_ADDR: allowed is localhost, or an IP address without a port`,
		},
		{
			name:  "an origin with a path",
			flags: open("cors-origins=https://a.example,https://b.example/app"),
			want:  `cors-origins = "https://a.example,https://b.example/app" from flag --cors-origins: allowed is origins such as https://app.example.com, null or *, separated by commas`,
		},
		{
			name:  "a node name with a colon, which separates the parts of a timestamp",
			flags: open("node-id=a:b"),
			want:  `node-id = "a:b" from flag --node-id: allowed is 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit`,
		},
		{
			name:  "a flag given twice",
			flags: open("port=1", "port=2"),
			want:  `port = "1,2" from flag --port: give it once`,
		},
		{
			name:  "an empty flag",
			flags: []string{"no-auth=1", "data-dir="},
			want:  `data-dir = "" from flag --data-dir: allowed is the name of a directory`,
		},
		{
			name:  "limits that contradict each other",
			flags: open("max-message-bytes=1MiB", "outbox-bytes=512KiB"),
			file:  "max-value-bytes: 2MiB",
			want: `max-value-bytes = "2MiB" from topgun.yaml line 1: allowed is at most max-message-bytes, which is 1MiB (flag --max-message-bytes)
			       max-message-bytes = "1MiB" from flag --max-message-bytes: allowed is at most outbox-bytes, which is 512KiB (flag --outbox-bytes)`,
		},
		{
			name:  "values that the log could not take twice, as it is and as it was",
			flags: open("max-value-bytes=17MiB", "max-message-bytes=32MiB", "outbox-bytes=32MiB"),
			want:  `max-value-bytes = "17MiB" from flag --max-value-bytes: allowed is a size from 1KiB to 16MiB`,
		},
		{
			name:  "a default that contradicts what was given",
			flags: open("max-message-bytes=512KiB"),
			want:  `max-value-bytes = "1MiB" from default: allowed is at most max-message-bytes, which is 512KiB (flag --max-message-bytes)`,
		},
		{
			name:  "a file that is not there",
			flags: open("config=gone.yaml"),
			want:  `config = "gone.yaml" from flag --config: open gone.yaml: file does not exist`,
		},
		{
			name:  "a file that is not YAML",
			flags: open(),
			file:  "port: [",
			want:  `config = "topgun.yaml" from flag --config: line 1: did not find expected node content`,
		},
		{
			name:  "a file that is not a list of names and values",
			flags: open(),
			file:  "- port",
			want:  `config = "topgun.yaml" from flag --config: line 1: the file must be a list of "name: value"`,
		},
		{
			name:  "a file with two documents",
			flags: open(),
			file:  "port: 1\n---\nport: 2",
			want:  `config = "topgun.yaml" from flag --config: the file holds more than one YAML document`,
		},
		{
			name:  "a file that names a file, a key twice, a key without a value, nested values",
			flags: open(),
			file:  "config: other.yaml\nport: 1\nport: 2\nhost:\nlog-level: {a: b}\nidle-timeout: [1s, 2s]\ncors-origins: [[a]]",
			want: `host: has no value in topgun.yaml line 4; remove the line or write one
			       cors-origins: has a nested value in topgun.yaml line 7; allowed is origins such as https://app.example.com, null or *, separated by commas
			       idle-timeout: has a nested value in topgun.yaml line 6; allowed is a duration from 1s to 24h
			       log-level: has a nested value in topgun.yaml line 5; allowed is debug, info, warn or error
			       topgun.yaml line 1: config: a file cannot name another
			       topgun.yaml line 3: port: stands twice in the file`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Load(sources(tt.flags, tt.env, tt.file))
			if err == nil {
				t.Fatalf("Load accepted it: %+v", cfg)
			}
			var want strings.Builder
			want.WriteString("the configuration is refused")
			for line := range strings.Lines(tt.want) {
				want.WriteString("\n  " + strings.TrimSpace(line))
			}
			if got := err.Error(); got != want.String() {
				t.Errorf("got:\n%s\nwant:\n%s", got, want.String())
			}
			if !reflect.ValueOf(cfg).IsZero() {
				t.Errorf("a refused configuration was returned: %+v", cfg)
			}
		})
	}
}

func TestFirstSourceWins(t *testing.T) {
	const file = "port: 3\nlog-level: debug\nmax-key-bytes: 3KiB"
	env := []string{"PORT=2", "TOPGUN_LOG_LEVEL=warn", "TOPGUN_IDLE_TIMEOUT="}
	cfg, err := Load(sources(open("port=1"), env, file))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen.Port != 1 {
		t.Errorf("port is %d, want 1: the flag before variable and file", cfg.Listen.Port)
	}
	if cfg.Log.Level != slog.LevelWarn {
		t.Errorf("log level is %v, want WARN: the variable before the file", cfg.Log.Level)
	}
	if cfg.Limits.KeyBytes != 3<<10 {
		t.Errorf("max-key-bytes is %d, want 3072: the file before the default", cfg.Limits.KeyBytes)
	}
	if cfg.Limits.IdleTimeout != time.Minute {
		t.Errorf("idle timeout is %v, want 1m0s: an empty variable is not set", cfg.Limits.IdleTimeout)
	}
}

func TestConfigFileIsNamedByVariableToo(t *testing.T) {
	src := sources(open(), []string{"TOPGUN_CONFIG=topgun.yaml"}, "")
	src.ReadFile = func(string) ([]byte, error) { return []byte("port: 7"), nil }
	cfg, err := Load(src)
	if err != nil || cfg.Listen.Port != 7 {
		t.Errorf("port %d, error %v; want 7", cfg.Listen.Port, err)
	}
}

func TestEmptyFileIsNoFile(t *testing.T) {
	for _, file := range []string{"# nothing\n", "---\n"} {
		if _, err := Load(sources(open(), nil, file)); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
}

func TestListsComeFromRepeatedFlagsAndSequences(t *testing.T) {
	want := []string{"https://a.example", "http://localhost:5173", "https://[::1]:8443"}
	for name, src := range map[string]Sources{
		"flags":    sources(open("cors-origins=https://a.example, http://localhost:5173", "cors-origins=https://[::1]:8443"), nil, ""),
		"variable": sources(open(), []string{"TOPGUN_CORS_ORIGINS=" + strings.Join(want, ",")}, ""),
		"sequence": sources(open(), nil, `cors-origins: ["https://a.example", "http://localhost:5173", "https://[::1]:8443"]`),
	} {
		cfg, err := Load(src)
		if err != nil || !reflect.DeepEqual(cfg.Listen.Origins, want) {
			t.Errorf("%s: %q, error %v; want %q", name, cfg.Listen.Origins, err, want)
		}
	}
	cfg, err := Load(sources(open("cors-origins="), []string{"TOPGUN_CORS_ORIGINS=*"}, ""))
	if err != nil || cfg.Listen.Origins != nil {
		t.Errorf("an empty flag before a variable: %q, error %v; want none", cfg.Listen.Origins, err)
	}
}

func TestWhereTheServerListensByDefault(t *testing.T) {
	tests := []struct {
		name     string
		flags    []string
		env      []string
		host     string
		loopback bool
	}{
		{"without authentication: this machine", open(), nil, "localhost", true},
		{"without authentication and public bind permitted: this machine still", open("allow-no-auth-public-bind=1"), nil, "localhost", true},
		{"with authentication: every address", []string{"storage=null"}, []string{"JWT_SECRET=s"}, "", false},
		{"IPv4 loopback", open("host=127.0.0.2"), nil, "127.0.0.2", true},
		{"IPv6 loopback", open("host=::1"), nil, "::1", true},
		{"mapped loopback", open("host=::ffff:127.0.0.1"), nil, "::ffff:127.0.0.1", true},
		{"public by permission", open("host=::", "allow-no-auth-public-bind=true"), nil, "::", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Load(sources(tt.flags, tt.env, ""))
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Listen.Host != tt.host || cfg.Listen.Loopback() != tt.loopback {
				t.Errorf("host %q, loopback %v; want %q, %v", cfg.Listen.Host, cfg.Listen.Loopback(), tt.host, tt.loopback)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	secret := strings.Repeat("s", shortSecretBytes)
	tests := []struct {
		name  string
		flags []string
		env   []string
		want  []string
	}{
		{"a sound configuration", []string{"data-dir=d"}, []string{"JWT_SECRET=" + secret}, nil},
		{
			"a short secret and a useless permission",
			[]string{"data-dir=d", "allow-no-auth-public-bind=1"},
			[]string{"JWT_SECRET=" + secret[1:]},
			[]string{
				"the JWT secret is shorter than 32 bytes and may be guessed",
				"allow-no-auth-public-bind from flag --allow-no-auth-public-bind has no effect: authentication is on",
			},
		},
		{
			"a secret although authentication is off",
			[]string{"data-dir=d", "no-auth=1", "jwt-issuer=i"},
			[]string{"JWT_SECRET=s"},
			[]string{
				"jwt-secret from environment variable JWT_SECRET has no effect: authentication is off",
				"jwt-issuer from flag --jwt-issuer has no effect: authentication is off",
			},
		},
		{
			"nothing kept, and a directory",
			open("data-dir=d"), nil,
			[]string{"storage is null: everything is lost when the server stops", "data-dir from flag --data-dir has no effect: storage is null"},
		},
		{
			"a database that nobody uses",
			[]string{"data-dir=d", "no-auth=1"},
			[]string{"DATABASE_URL=postgres://user:geheim@db", "TOPGUN_POSTGRES_WRITE=through"},
			[]string{
				"database-url from environment variable DATABASE_URL has no effect: storage is embedded",
				"postgres-write from environment variable TOPGUN_POSTGRES_WRITE has no effect: storage is embedded",
			},
		},
		{
			"open to the world",
			[]string{"data-dir=d", "no-auth=1", "allow-no-auth-public-bind=1", "host=0.0.0.0"},
			nil,
			[]string{"authentication is off on a public address: everyone who reaches it may read and write everything"},
		},
		{
			"variables that mean nothing here, without their values",
			[]string{"data-dir=d", "no-auth=1"},
			[]string{"TOPGUN_REDB_PATH=x", "TOPGUN_ADMIN_PASSWORD=geheim", "OTHER=1"},
			[]string{
				"environment variable TOPGUN_ADMIN_PASSWORD is not known to this version and has no effect",
				"environment variable TOPGUN_REDB_PATH is not known to this version and has no effect",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Load(sources(tt.flags, tt.env, ""))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(cfg.Warnings, tt.want) {
				t.Errorf("got  %q\nwant %q", cfg.Warnings, tt.want)
			}
		})
	}
}

func TestJWTSecretMayBeAPublicKey(t *testing.T) {
	pemText := func(typ string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curvePKIX, err := x509.MarshalPKIXPublicKey(&curve.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).Rsh(key.N, 1100), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	good := pemText("PUBLIC KEY", pkix)
	pkcs1 := pemText("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey))
	const allowed = "; allowed is a secret of any length, or the PEM text of an RSA public key of 2048 bits or more"

	tests := []struct {
		name   string
		text   string
		reveal string
		refuse string
	}{
		{name: "PKIX", text: good, reveal: strings.TrimSpace(good)},
		{name: "PKCS 1", text: pkcs1, reveal: strings.TrimSpace(pkcs1)},
		{name: "line ends as backslash n", text: strings.ReplaceAll(good, "\n", `\n`), reveal: strings.TrimSpace(good)},
		{name: "a shared secret with a backslash n stays as it is", text: `a\nb`, reveal: `a\nb`},
		{name: "a private key", text: pemText("RSA PRIVATE KEY", []byte("x")), refuse: "the PEM text holds a rsa private key, not a public key" + allowed},
		{name: "another kind of key", text: pemText("PUBLIC KEY", curvePKIX), refuse: "the public key is not an RSA key" + allowed},
		{name: "a short key", text: pemText("PUBLIC KEY", weak), refuse: "the RSA key has fewer than 2048 bits" + allowed},
		{name: "damaged inside", text: pemText("PUBLIC KEY", []byte("x")), refuse: "the PEM text does not hold a readable public key" + allowed},
		{name: "damaged outside", text: "-----BEGIN PUBLIC KEY", refuse: "the PEM text is damaged" + allowed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Load(sources([]string{"storage=null"}, []string{"JWT_SECRET=" + tt.text}, ""))
			if tt.refuse != "" {
				want := "the configuration is refused\n  jwt-secret = (hidden) from environment variable JWT_SECRET: " + tt.refuse
				if err == nil || err.Error() != want {
					t.Errorf("got  %v\nwant %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := cfg.Auth.JWTSecret
			if s.Reveal() != tt.reveal {
				t.Errorf("got %q, want %q", s.Reveal(), tt.reveal)
			}
			if s.PEM() != strings.HasPrefix(tt.text, pemStart) {
				t.Errorf("PEM() is %v", s.PEM())
			}
		})
	}
}

func TestWhenWritesToADatabaseCount(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		want  PostgresStorage
	}{
		"a data directory":          {[]string{"data-dir=d"}, PostgresStorage{Write: Behind, Delay: time.Second}},
		"none":                      {nil, PostgresStorage{Write: Through}},
		"through, with a directory": {[]string{"data-dir=d", "postgres-write=through"}, PostgresStorage{Write: Through}},
		"behind, in its own time":   {[]string{"data-dir=d", "postgres-write=behind", "postgres-delay=0s"}, PostgresStorage{Write: Behind}},
	} {
		flags := append([]string{"no-auth=true", "storage=postgres"}, c.flags...)
		cfg, err := Load(sources(flags, []string{"DATABASE_URL= postgres://db/topgun "}, ""))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.want.URL = Secret{"postgres://db/topgun"}
		c.want.BatchRows, c.want.StagedBytes, c.want.Connections = 1000, 128<<20, 4
		if got := cfg.Storage.Postgres; got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	const shh = "correct horse battery staple, of more than enough bytes"
	cfg, err := Load(sources([]string{"storage=postgres"}, []string{"JWT_SECRET=" + shh, "DATABASE_URL=postgres://user:horse@db"}, ""))
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Auth.JWTSecret.Reveal(); got != shh {
		t.Fatalf("Reveal() = %q", got)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("start", "secret", cfg.Auth.JWTSecret, "config", cfg)
	encoded, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{
		"%v": fmt.Sprintf("%v", cfg), "%+v": fmt.Sprintf("%+v", cfg), "%#v": fmt.Sprintf("%#v", cfg),
		"slog": logged.String(), "json": string(encoded),
	} {
		if strings.Contains(out, "horse") {
			t.Errorf("%s shows the secret: %s", name, out)
		}
	}
	if got := fmt.Sprint(cfg.Auth.JWTSecret); got != hidden {
		t.Errorf("a secret prints as %q, want %q, so that one can see that it is set", got, hidden)
	}

	_, err = Load(sources([]string{"storage=null"}, nil, "jwt-secret: [horse, horse]"))
	if err == nil || strings.Contains(err.Error(), "horse") {
		t.Errorf("a refused secret: %v", err)
	}
	_, err = Load(sources([]string{"storage=null", "jwt-secret=horse", "jwt-secret=horse"}, nil, ""))
	if err == nil || strings.Contains(err.Error(), "horse") {
		t.Errorf("a secret given twice: %v", err)
	}
}

func TestProblemsTravelAsData(t *testing.T) {
	_, err := Load(sources(open("port=x"), nil, ""))
	var refused *RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("got %#v", err)
	}
	want := []Problem{{"port", "x", "flag --port", "allowed is a whole number from 0 to 65535"}}
	if !reflect.DeepEqual(refused.Problems, want) {
		t.Errorf("got %#v", refused.Problems)
	}
}
