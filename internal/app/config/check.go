package config

import "fmt"

// check refuses combinations that make no sense although each value does, and
// settles what one option decides for another.
func (l *loader) check(c *Config) {
	l.checkAuth(c)
	if c.Storage.Backend == Embedded && !l.has("data-dir") {
		l.refuse(Problem{
			Option:  "data-dir",
			Message: "embedded storage needs a directory: set --data-dir or TOPGUN_DATA_DIR, or choose --storage null to keep nothing",
		})
	}
	l.checkPostgres(c)
	if d, t := c.Lifetimes.Devices, c.Lifetimes.Tombstones; d < t && !l.refused("device-retention") && !l.refused("tombstone-retention") {
		l.refuse(Problem{
			Option: "device-retention", Value: formatSpan(d), Source: l.source("device-retention"),
			Message: fmt.Sprintf("allowed is at least tombstone-retention, which is %s (%s)", formatSpan(t), l.source("tombstone-retention")),
		})
	}
	l.atMost("max-value-bytes", c.Limits.ValueBytes, "max-message-bytes", c.Limits.MessageBytes)
	l.atMost("max-key-bytes", c.Limits.KeyBytes, "max-message-bytes", c.Limits.MessageBytes)
	l.atMost("max-message-bytes", c.Limits.MessageBytes, "outbox-bytes", c.Limits.OutboxBytes)
}

func (l *loader) checkPostgres(c *Config) {
	if c.Storage.Backend != Postgres {
		return
	}
	p := &c.Storage.Postgres
	if !l.has("database-url") {
		l.refuse(Problem{
			Option:  "database-url",
			Message: "postgres storage needs a database: set DATABASE_URL to postgres://user:password@host:port/database",
		})
	}
	if p.Write == "" && !l.refused("postgres-write") {
		p.Write = Behind
		if !l.has("data-dir") {
			p.Write = Through
		}
	}
	if p.Write == Behind && !l.has("data-dir") {
		l.refuse(Problem{
			Option: "postgres-write", Value: string(p.Write), Source: l.given["postgres-write"],
			Message: "without a data directory a write is safe only in the database: choose through, or set --data-dir or TOPGUN_DATA_DIR",
		})
	}
	if p.Write == Through {
		if l.has("postgres-delay") && p.Delay > 0 {
			l.refuse(Problem{
				Option: "postgres-delay", Value: p.Delay.String(), Source: l.given["postgres-delay"],
				Message: "with postgres-write through clients wait for the database, so nothing is held back; leave it out, or choose behind",
			})
		}
		p.Delay = 0
	}
}

func (l *loader) checkAuth(c *Config) {
	if !l.has("jwt-secret") && !c.Auth.Off && !l.refused("no-auth") {
		l.refuse(Problem{
			Option:  "jwt-secret",
			Message: "nobody could be let in: set JWT_SECRET to verify tokens, or TOPGUN_NO_AUTH=1 to serve without authentication on this machine only",
		})
	}
	if !c.Auth.Off {
		return
	}
	if !l.has("host") {
		c.Listen.Host = localhost
	}
	if !l.refused("host") && !c.Listen.Loopback() && !c.Auth.PublicBind && !l.refused("allow-no-auth-public-bind") {
		l.refuse(Problem{
			Option: "host", Value: c.Listen.Host, Source: l.given["host"],
			Message: "without authentication only a loopback address is allowed; set JWT_SECRET instead of TOPGUN_NO_AUTH, or permit it with TOPGUN_ALLOW_NO_AUTH_PUBLIC_BIND=1",
		})
	}
}

// atMost refuses small > big unless one of the two is refused already.
func (l *loader) atMost(smallName string, small int, bigName string, big int) {
	if small <= big || l.refused(smallName) || l.refused(bigName) {
		return
	}
	l.refuse(Problem{
		Option: smallName, Value: formatSize(int64(small)), Source: l.source(smallName),
		Message: fmt.Sprintf("allowed is at most %s, which is %s (%s)", bigName, formatSize(int64(big)), l.source(bigName)),
	})
}

// has reports whether any source gave the option a value, right or wrong.
func (l *loader) has(option string) bool { return l.given[option] != "" }

func (l *loader) source(option string) string {
	if s := l.given[option]; s != "" {
		return s
	}
	return "default"
}

func (l *loader) refused(option string) bool {
	for _, p := range l.problems {
		if p.Option == option {
			return true
		}
	}
	return false
}

// warn notes what is allowed and yet hardly meant.
func (l *loader) warn(c *Config) {
	if c.Auth.Off {
		for _, name := range []string{"jwt-secret", "jwt-issuer", "jwt-audience"} {
			l.noEffect(name, "authentication is off")
		}
		if !c.Listen.Loopback() {
			l.warnings = append(l.warnings, "authentication is off on a public address: everyone who reaches it may read and write everything")
		}
	} else {
		if s := c.Auth.JWTSecret; !s.PEM() && len(s.Reveal()) < shortSecretBytes {
			l.warnings = append(l.warnings, fmt.Sprintf("the JWT secret is shorter than %d bytes and may be guessed", shortSecretBytes))
		}
		if c.Auth.PublicBind {
			l.noEffect("allow-no-auth-public-bind", "authentication is on")
		}
	}
	if c.Storage.Backend != Postgres {
		for _, o := range definePostgres(&PostgresStorage{}) {
			l.noEffect(o.Name, "storage is "+string(c.Storage.Backend))
		}
	}
	if c.Storage.Backend == Null {
		l.warnings = append(l.warnings, "storage is null: everything is lost when the server stops")
		for _, name := range []string{"data-dir", "checkpoint-interval", "change-log-bytes"} {
			l.noEffect(name, "storage is null")
		}
	}
}

// noEffect warns of an option that was given and cannot matter.
func (l *loader) noEffect(option, because string) {
	if l.has(option) {
		l.warnings = append(l.warnings, fmt.Sprintf("%s from %s has no effect: %s", option, l.given[option], because))
	}
}
