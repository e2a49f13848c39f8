// Package config turns flags, environment variables and a file into one
// checked Config.
//
// Every option is defined once, in definition.go: its name, its environment
// variable, what it fills, its range, its default and its help. The flags of
// the command line, the reading of environment and file, the validation and the
// table in docs/configuration.md all come from that definition.
//
// A value is taken from the first of flag, environment variable, file and
// default that has one. Load reports everything that is wrong at once, each
// with the name, the value, where it came from and what is allowed. The values
// of secrets never appear in an error, a warning or a log line.
//
// The package starts nothing and touches nothing: environment and file reading
// are handed in. A Config is a plain value; nobody changes it after Load.
package config
