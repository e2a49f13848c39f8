package config

import (
	"log/slog"
	"slices"
	"time"
)

// The groups of options, as help and documentation show them.
const (
	groupGeneral = "General"
	groupListen  = "Listening"
	groupAuth    = "Authentication"
	groupStorage = "Storage"

	groupPostgres  = "PostgreSQL"
	groupMemory    = "Memory"
	groupLifetimes = "Lifetimes"
	groupLimits    = "Limits"
	groupQueries   = "Queries"
	groupLog       = "Logging"
)

// Bounds that keep a slip of the finger from becoming an outage.
const (
	maxConnections = 1_000_000
	maxOps         = 100_000_000
)

// define is the one definition of every option: what it is called, what it
// fills in c, and what is allowed. Its order is that of help and documentation.
// file receives the name of the configuration file.
func define(c *Config, file *string) []Option {
	return slices.Concat(
		defineGeneral(c, file),
		defineListen(&c.Listen),
		defineAuth(&c.Auth),
		defineStorage(&c.Storage),
		definePostgres(&c.Storage.Postgres),
		defineMemory(&c.Memory),
		defineLifetimes(&c.Lifetimes),
		defineLimits(&c.Limits),
		defineQueries(&c.Queries),
		defineLog(&c.Log),
	)
}

func defineGeneral(c *Config, file *string) []Option {
	return []Option{
		{
			Name: "config", Env: "TOPGUN_CONFIG", Group: groupGeneral,
			Help:  "File with options: YAML, one \"name: value\" a line, named as the flags are.",
			value: text{to: file, what: "the name of a file", check: isPath},
		},
		{
			Name: "node-id", Env: "TOPGUN_NODE_ID", Group: groupGeneral,
			Help:  "Name of this node. Without one the server makes a name, and embedded storage keeps it.",
			value: text{to: &c.NodeID, what: "1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit", check: isNodeID},
		},
		{
			Name: "shutdown-timeout", Env: "TOPGUN_SHUTDOWN_TIMEOUT", Group: groupGeneral, Default: "5s",
			Help:  "Longest time to drain and flush after the first stop signal.",
			value: span{to: &c.ShutdownTimeout, min: 100 * time.Millisecond, max: 10 * time.Minute},
		},
		{
			Name: "unreachable-concern", Env: "TOPGUN_UNREACHABLE_CONCERN", Group: groupGeneral, Default: string(RefuseConcern),
			Help: "What becomes of an operation whose write concern this node can never reach (REPLICATED while it is alone, PERSISTED without storage): refuse it, or carry it out and report the level that was reached.",
			value: choice[Unreachable]{
				to:    &c.UnreachableConcern,
				words: []word[Unreachable]{{string(RefuseConcern), RefuseConcern}, {string(ReportConcern), ReportConcern}},
			},
		},
	}
}

func defineListen(l *Listen) []Option {
	return []Option{
		{
			Name: "port", Env: "PORT", Group: groupListen, Default: "8080",
			Help:  "TCP port; 0 lets the system pick one.",
			value: whole{to: &l.Port, min: 0, max: 65535},
		},
		{
			Name: "host", Env: "TOPGUN_BIND_ADDR", Group: groupListen,
			Help:  "Address to listen on. Without one: localhost when authentication is off, else every address.",
			value: text{to: &l.Host, what: "localhost, or an IP address without a port", check: isHost},
		},
		{
			Name: "cors-origins", Env: "TOPGUN_CORS_ORIGINS", Group: groupListen,
			Help:  "Origins whose web pages may connect, besides pages of the same host; * for any, null for local files.",
			value: list{to: &l.Origins, what: "origins such as https://app.example.com, null or *, separated by commas", check: isOrigin},
		},
		{
			Name: "allowed-hosts", Env: "TOPGUN_ALLOWED_HOSTS", Group: groupListen,
			Help:  "Names that a request's Host header may carry, besides local ones; * for any. Without any: every name, but on a loopback address only local ones.",
			value: list{to: &l.Hosts, what: "host names without a port, or *, separated by commas", check: isHostName},
		},
		{
			Name: "board", Env: "TOPGUN_BOARD", Group: groupListen, Default: "false",
			Help:  "Serve the board at /: a page to try TopGun with, which reads and writes the maps board.text, board.done and board.place.",
			value: onOff{to: &l.Board},
		},
	}
}

func defineAuth(a *Auth) []Option {
	return []Option{
		{
			Name: "jwt-secret", Env: "JWT_SECRET", Group: groupAuth, NoFlag: true, Secret: true,
			Help:  "Verifies the tokens of clients: an HS256 secret of any length, or a PEM public key for RS256.",
			value: secret{to: &a.JWTSecret, what: "a secret of any length, or the PEM text of an RSA public key of 2048 bits or more", make: newJWTSecret},
		},
		{
			Name: "jwt-issuer", Env: "TOPGUN_JWT_ISSUER", Group: groupAuth,
			Help:  "Issuer (iss) that a token must name.",
			value: text{to: &a.JWTIssuer, what: "any text", check: isAny},
		},
		{
			Name: "jwt-audience", Env: "TOPGUN_JWT_AUDIENCE", Group: groupAuth,
			Help:  "Audience (aud) that a token must name.",
			value: text{to: &a.JWTAudience, what: "any text", check: isAny},
		},
		{
			Name: "no-auth", Env: "TOPGUN_NO_AUTH", Group: groupAuth, Default: "false",
			Help:  "Let everyone in without a token. Only on a loopback address, unless the next option is on too.",
			value: onOff{to: &a.Off},
		},
		{
			Name: "allow-no-auth-public-bind", Env: "TOPGUN_ALLOW_NO_AUTH_PUBLIC_BIND", Group: groupAuth, Default: "false",
			Help:  "Permit no-auth on an address that other machines can reach.",
			value: onOff{to: &a.PublicBind},
		},
	}
}

func defineStorage(s *Storage) []Option {
	return []Option{
		{
			Name: "storage", Env: "STORAGE_BACKEND", Group: groupStorage, Default: string(Embedded),
			Help: "Where records live: embedded keeps them in the data directory, postgres there and in a PostgreSQL database behind it, null keeps nothing.",
			value: choice[Backend]{
				to:    &s.Backend,
				words: []word[Backend]{{string(Embedded), Embedded}, {string(Postgres), Postgres}, {string(Null), Null}},
			},
		},
		{
			Name: "data-dir", Env: "TOPGUN_DATA_DIR", Group: groupStorage,
			Help:  "Directory of the change log and of embedded storage, which needs one. Made if it is not there. With postgres and without one, the log is kept in the user's cache directory and only what the database has is safe.",
			value: text{to: &s.DataDir, what: "the name of a directory", check: isPath},
		},
		{
			Name: "checkpoint-interval", Env: "TOPGUN_CHECKPOINT_INTERVAL", Group: groupStorage, Default: "30s",
			Help:  "Longest time between two checkpoints while there are changes.",
			value: span{to: &s.CheckpointInterval, min: time.Second, max: time.Hour},
		},
		{
			Name: "change-log-bytes", Env: "TOPGUN_CHANGE_LOG_BYTES", Group: groupStorage, Default: "256MiB",
			Help:  "Bound of the change log since the last checkpoint. Reaching it starts a checkpoint and may slow writers.",
			value: size[int64]{to: &s.ChangeLogBytes, min: 16 << 20, max: 64 << 30},
		},
	}
}

func definePostgres(p *PostgresStorage) []Option {
	return []Option{
		{
			Name: "database-url", Env: "DATABASE_URL", Group: groupPostgres, NoFlag: true, Secret: true,
			Help:  "PostgreSQL database of postgres storage: postgres://user:password@host:port/database?sslmode=verify-full.",
			value: secret{to: &p.URL, what: "a URL that begins with postgres:// or postgresql://", make: newDatabaseURL},
		},
		{
			Name: "postgres-write", Env: "TOPGUN_POSTGRES_WRITE", Group: groupPostgres,
			Help: "When a write is acknowledged: behind, when it is on this machine's disk, or through, when it is also in the database. Without this option: behind, but through where there is no data directory.",
			value: choice[WriteMode]{to: &p.Write, words: []word[WriteMode]{
				{string(Behind), Behind}, {string(Through), Through},
			}},
		},
		{
			Name: "postgres-delay", Env: "TOPGUN_POSTGRES_DELAY", Group: groupPostgres, Default: "1s",
			Help:  "How long a row of a checkpoint waits for later states of its key before it is written to the database. None with through.",
			value: span{to: &p.Delay, min: 0, max: time.Hour},
		},
		{
			Name: "postgres-batch-rows", Env: "TOPGUN_POSTGRES_BATCH_ROWS", Group: groupPostgres, Default: "1000",
			Help:  "Most rows that one transaction writes to the database.",
			value: whole{to: &p.BatchRows, min: 1, max: 100_000},
		},
		{
			Name: "postgres-staged-bytes", Env: "TOPGUN_POSTGRES_STAGED_BYTES", Group: groupPostgres, Default: "128MiB",
			Help:  "Rows that wait in memory for the database. When more wait, they are forgotten, and found again by comparing store and database.",
			value: size[int]{to: &p.StagedBytes, min: 1 << 20, max: 64 << 30},
		},
		{
			Name: "postgres-connections", Env: "TOPGUN_POSTGRES_CONNECTIONS", Group: groupPostgres, Default: "4",
			Help:  "Most connections to the database: one writes, the others read while a new machine or a comparison needs them.",
			value: whole{to: &p.Connections, min: 2, max: 100},
		},
	}
}

func defineQueries(q *Queries) []Option {
	return []Option{
		{
			Name: "auto-index", Env: "TOPGUN_AUTO_INDEX", Group: groupQueries, Default: "false",
			Help:  "Make an index when three queries would have used it and been spared 100000 records. Without, the server only advises it.",
			value: onOff{to: &q.AutoIndex},
		},
		{
			Name: "indexes", Env: "TOPGUN_INDEXES", Group: groupQueries,
			Help:  "Indexes that the server makes at the start unless they are there, such as todos:status+createdAt:navigable.",
			value: list{to: &q.Indexes, what: "map:field:type separated by commas, type one of hash, navigable and inverted; fields of a compound index are joined by +", check: isIndex},
		},
	}
}

func defineLimits(l *Limits) []Option {
	return []Option{
		{
			Name: "max-message-bytes", Env: "TOPGUN_MAX_MESSAGE_BYTES", Group: groupLimits, Default: "2MiB",
			Help:  "Largest frame accepted from a client.",
			value: size[int]{to: &l.MessageBytes, min: 64 << 10, max: 64 << 20},
		},
		{
			Name: "max-value-bytes", Env: "TOPGUN_MAX_VALUE_BYTES", Group: groupLimits, Default: "1MiB",
			Help: "Largest value of a record, encoded.",
			// A change has the value before and after, and one frame of the log holds it.
			value: size[int]{to: &l.ValueBytes, min: 1 << 10, max: 16 << 20},
		},
		{
			Name: "max-key-bytes", Env: "TOPGUN_MAX_KEY_BYTES", Group: groupLimits, Default: "4KiB",
			Help:  "Longest key, in UTF-8.",
			value: size[int]{to: &l.KeyBytes, min: 64, max: 64 << 10},
		},
		{
			Name: "max-connections", Env: "TOPGUN_MAX_CONNECTIONS", Group: groupLimits, Default: "100000",
			Help:  "Clients connected at one time, in all.",
			value: whole{to: &l.Connections, min: 1, max: maxConnections},
		},
		{
			Name: "ops-per-second", Env: "TOPGUN_OPS_PER_SECOND", Group: groupLimits, Default: "20000",
			Help:  "Operations a second of one connection, in the long run.",
			value: whole{to: &l.OpsPerSecond, min: 1, max: maxOps},
		},
		{
			Name: "ops-burst", Env: "TOPGUN_OPS_BURST", Group: groupLimits, Default: "40000",
			Help:  "Operations that one connection may send at once; a frame with more is refused.",
			value: whole{to: &l.OpsBurst, min: 1, max: maxOps},
		},
		{
			Name: "frames-in-flight", Env: "TOPGUN_FRAMES_IN_FLIGHT", Group: groupLimits, Default: "32",
			Help:  "Frames with operations of one connection that wait for their acknowledgement, before the server stops reading its socket.",
			value: whole{to: &l.FramesInFlight, min: 1, max: 1024},
		},
		{
			Name: "outbox-bytes", Env: "TOPGUN_OUTBOX_BYTES", Group: groupLimits, Default: "16MiB",
			Help:  "What may wait to be sent to one connection, beside what it has asked for; a reader that lets it fill up is disconnected.",
			value: size[int]{to: &l.OutboxBytes, min: 64 << 10, max: 1 << 30},
		},
		{
			Name: "handshake-timeout", Env: "TOPGUN_HANDSHAKE_TIMEOUT", Group: groupLimits, Default: "10s",
			Help:  "Time from connecting to being authenticated.",
			value: span{to: &l.HandshakeTimeout, min: 100 * time.Millisecond, max: 10 * time.Minute},
		},
		{
			Name: "idle-timeout", Env: "TOPGUN_IDLE_TIMEOUT", Group: groupLimits, Default: "60s",
			Help:  "How long a connection may stay silent before it is closed.",
			value: span{to: &l.IdleTimeout, min: time.Second, max: 24 * time.Hour},
		},
	}
}

func defineLog(l *Log) []Option {
	return []Option{
		{
			Name: "log-level", Env: "TOPGUN_LOG_LEVEL", Group: groupLog, Default: "info",
			Help: "Least severe line that the server logs; log lines go to its error output.",
			value: choice[slog.Level]{to: &l.Level, words: []word[slog.Level]{
				{"debug", slog.LevelDebug}, {"info", slog.LevelInfo}, {"warn", slog.LevelWarn}, {"error", slog.LevelError},
			}},
		},
		{
			Name: "log-format", Env: "TOPGUN_LOG_FORMAT", Group: groupLog, Default: string(Text),
			Help: "Shape of a log line: text for people, json for programs.",
			value: choice[Format]{to: &l.Format, words: []word[Format]{
				{string(Text), Text}, {string(JSON), JSON},
			}},
		},
	}
}
