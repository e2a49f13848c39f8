// Topgun is the TopGun server and its tools in one binary.
//
// `topgun serve` runs a node, `topgun dev` one to try things out on, `topgun
// version` says what was built. Called by
// the name topgun-server, the program is `topgun serve`: existing launchers and
// containers start it that way.
//
// The command line is parsed here and nowhere else; the flags of serve come from
// the definition in internal/app/config. Standard output belongs to what was
// asked for (the ready line of serve, the lines of version); everything else
// goes to standard error.
//
// Exit codes: 0 done or stopped by a signal, 1 something failed at run time, 2
// the command line or the configuration is wrong.
package main
