package config

import (
	"log/slog"
	"net/netip"
	"time"
)

// Config is what a server was asked to be. Load is the only source of valid
// ones; every field then holds a value inside the range of its option.
type Config struct {
	// NodeID names this node in timestamps and in the partition table. Empty:
	// the server makes one and, with embedded storage, keeps it.
	NodeID string

	Listen    Listen
	Auth      Auth
	Storage   Storage
	Memory    Memory
	Lifetimes Lifetimes
	Limits    Limits
	Queries   Queries
	Log       Log

	// UnreachableConcern says what becomes of an operation whose write concern
	// this node can never reach.
	UnreachableConcern Unreachable

	// ShutdownTimeout bounds draining and flushing after the first stop signal.
	ShutdownTimeout time.Duration

	// Warnings are findings that do not prevent a start, one sentence each, fit
	// to be logged: they hold no secret.
	Warnings []string
}

// Unreachable names an answer to a write concern that can never be reached.
type Unreachable string

const (
	// RefuseConcern refuses the operation by name.
	RefuseConcern Unreachable = "refuse"
	// ReportConcern carries it out and reports how far it came.
	ReportConcern Unreachable = "report"
)

// Listen says where clients reach the server and who may.
type Listen struct {
	// Host is "localhost" (both loopback addresses), an IP address without
	// brackets, or empty for every address of the machine.
	Host string

	// Port is the TCP port; 0 lets the system pick one.
	Port int

	// Origins are the web origins, besides pages of the same host, that may
	// connect: scheme://host[:port], "null" for local files, "*" for any.
	Origins []string

	// Hosts are the names, besides local ones, that the Host header of a request
	// may carry; "*" for any. Empty: any, but on a loopback address none.
	Hosts []string

	// Board serves the board, a page to try TopGun with, at "/".
	Board bool
}

// Loopback reports whether only programs on this machine can connect.
func (l Listen) Loopback() bool {
	if l.Host == localhost {
		return true
	}
	addr, err := netip.ParseAddr(l.Host)
	return err == nil && addr.Unmap().IsLoopback()
}

// Auth says who is let in. Exactly one of Off and a non-empty JWTSecret decides
// what happens at the door; when both are set, Off wins and Load warns.
type Auth struct {
	// Off accepts every connection without a token.
	Off bool

	// PublicBind permits Off on an address that other machines can reach.
	PublicBind bool

	// JWTSecret verifies tokens: the shared secret of HS256, or the PEM text of
	// an RSA public key for RS256 (see Secret.PEM).
	JWTSecret Secret

	// JWTIssuer and JWTAudience are required of a token when not empty.
	JWTIssuer   string
	JWTAudience string
}

// Backend names a durable home of records.
type Backend string

const (
	// Embedded keeps log and store in Storage.DataDir.
	Embedded Backend = "embedded"
	// Postgres keeps log and store on this machine, and everything in a
	// PostgreSQL database behind them.
	Postgres Backend = "postgres"
	// Null keeps nothing beyond the life of the process.
	Null Backend = "null"
)

// Storage says where records live.
type Storage struct {
	Backend Backend

	// DataDir is the directory of log and store, as given: not made absolute and
	// not yet created. Never empty with Embedded. Empty with Postgres: a
	// directory that may be lost, and that the database replaces.
	DataDir string

	// Postgres says how the database is used; it means something with Postgres
	// only.
	Postgres PostgresStorage

	// CheckpointInterval is the longest time between two checkpoints while
	// there are changes.
	CheckpointInterval time.Duration

	// ChangeLogBytes bounds the change log since the last checkpoint; reaching
	// it starts a checkpoint and, if that does not keep up, slows writers down.
	ChangeLogBytes int64
}

// WriteMode says when a write to a database counts.
type WriteMode string

const (
	// Through acknowledges when the database has the write.
	Through WriteMode = "through"
	// Behind acknowledges when this machine has it on disk; the database gets it
	// later.
	Behind WriteMode = "behind"
)

// PostgresStorage says how a PostgreSQL database is used.
type PostgresStorage struct {
	// URL names database, user and password.
	URL Secret

	// Write is Through or Behind; with Postgres never empty, and Through without
	// a data directory.
	Write WriteMode

	// Delay is how long a row waits for later states of its key before it goes
	// to the database; zero with Through.
	Delay time.Duration

	// BatchRows is the most rows in one statement.
	BatchRows int

	// StagedBytes bounds the rows that wait in memory for the database.
	StagedBytes int

	// Connections is the most connections: one writes, the others read.
	Connections int
}

// Limits bound what clients can ask for. Each applies to one connection unless
// it says otherwise.
type Limits struct {
	// MessageBytes is the largest frame accepted, in bytes.
	MessageBytes int
	// ValueBytes is the largest encoded value of a record, in bytes.
	ValueBytes int
	// KeyBytes is the longest key, in bytes of UTF-8.
	KeyBytes int
	// Connections is how many clients are connected at one time, in all.
	Connections int
	// OpsPerSecond and OpsBurst are the budget of operations: a token bucket.
	OpsPerSecond int
	OpsBurst     int
	// FramesInFlight is how many frames with operations may wait for their
	// acknowledgement before the server stops reading the socket.
	FramesInFlight int
	// OutboxBytes bounds what waits to be sent; a reader that lets it fill up is
	// disconnected. Never less than MessageBytes.
	OutboxBytes int
	// HandshakeTimeout bounds the time from accept to authentication.
	HandshakeTimeout time.Duration
	// IdleTimeout is how long a connection may stay silent.
	IdleTimeout time.Duration
}

// Queries says how queries are answered.
type Queries struct {
	// AutoIndex has the server make indexes that the queries seen would have used
	// much, rather than only advise them.
	AutoIndex bool

	// Indexes are made at the start unless they are there: map:field:type, a
	// compound index with several fields joined by +.
	Indexes []string
}

// Format is the shape of a log line.
type Format string

const (
	// Text is key=value, for people.
	Text Format = "text"
	// JSON is one object a line, for programs.
	JSON Format = "json"
)

// Log says which lines the server logs, to its error output, and how.
type Log struct {
	Level  slog.Level
	Format Format
}
