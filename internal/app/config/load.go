package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Sources are what a configuration is read from. The zero value gives defaults.
type Sources struct {
	// Flags holds, by option name, the texts given on the command line, in
	// order; a flag that was not given is absent.
	Flags map[string][]string
	// Environ is the environment as "NAME=value", the way os.Environ returns
	// it. A variable with an empty value counts as not set.
	Environ []string
	// ReadFile reads the configuration file; it is called at most once.
	ReadFile func(name string) ([]byte, error)
}

// Load returns the configuration that the sources describe, or a RefusedError
// with all that is wrong with it.
func Load(src Sources) (Config, error) {
	l := &loader{env: environment(src.Environ), given: map[string]string{}}
	var cfg Config
	var file string
	options := define(&cfg, &file)

	entries := l.file(src, options, &file)
	for _, o := range options {
		if o.Name != optionConfig {
			l.apply(o, src.Flags[o.Name], entries)
		}
	}
	l.unknownEntries(options, entries)
	l.check(&cfg)
	if len(l.problems) > 0 {
		return Config{}, &RefusedError{l.problems}
	}
	l.unknownVariables(options)
	l.warn(&cfg)
	cfg.Warnings = l.warnings
	return cfg, nil
}

const optionConfig = "config"

// loader collects findings while the sources are read.
type loader struct {
	env      map[string]string
	path     string            // of the configuration file
	given    map[string]string // option -> where its value came from, wrong ones included
	problems []Problem
	warnings []string
}

func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, kv := range environ {
		if name, val, _ := strings.Cut(kv, "="); val != "" {
			env[name] = val
		}
	}
	return env
}

// file reads the configuration file, if one is named.
func (l *loader) file(src Sources, options []Option, name *string) []entry {
	i := slices.IndexFunc(options, func(o Option) bool { return o.Name == optionConfig })
	l.apply(options[i], src.Flags[optionConfig], nil)
	if *name == "" {
		return nil
	}
	l.path = *name
	source := l.given[optionConfig]
	data, err := src.ReadFile(*name)
	if err != nil {
		l.refuse(Problem{Option: optionConfig, Value: *name, Source: source, Message: err.Error()})
		return nil
	}
	entries, err := parseFile(data)
	if err != nil {
		l.refuse(Problem{Option: optionConfig, Value: *name, Source: source, Message: err.Error()})
	}
	return entries
}

// apply gives o the value of its first source, or its default.
func (l *loader) apply(o Option, flags []string, entries []entry) {
	texts, source, ok := l.find(o, flags, entries)
	if !ok {
		if o.Default == "" {
			return
		}
		texts, source = []string{o.Default}, "default"
	} else {
		l.given[o.Name] = source
	}
	shown := strings.Join(texts, ",")
	if o.Secret {
		shown = hidden
	}
	if _, many := o.value.(list); !many && len(texts) != 1 {
		l.refuse(Problem{Option: o.Name, Value: shown, Source: source, Message: "give it once"})
		return
	}
	switch err := o.value.set(texts); {
	case err == nil:
	case errors.Is(err, errRange):
		l.refuse(Problem{Option: o.Name, Value: shown, Source: source, Message: "allowed is " + o.Allowed()})
	default:
		l.refuse(Problem{Option: o.Name, Value: shown, Source: source, Message: err.Error()})
	}
}

// find returns the texts of the first source that has any, and its name.
func (l *loader) find(o Option, flags []string, entries []entry) (texts []string, source string, ok bool) {
	if len(flags) > 0 {
		return flags, "flag --" + o.Name, true
	}
	if val, set := l.env[o.Env]; set {
		return []string{val}, "environment variable " + o.Env, true
	}
	for _, e := range entries {
		if e.name == o.Name && l.usable(e, o) {
			return e.texts, l.line(e), true
		}
	}
	return nil, "", false
}

// usable refuses an entry whose value has the wrong shape.
func (l *loader) usable(e entry, o Option) bool {
	_, many := o.value.(list)
	switch {
	case !e.isSet:
		l.refuse(Problem{Option: o.Name, Message: "has no value in " + l.line(e) + "; remove the line or write one"})
	case e.other || (e.isRow && !many):
		l.refuse(Problem{Option: o.Name, Message: "has a nested value in " + l.line(e) + "; allowed is " + o.Allowed()})
	default:
		return true
	}
	l.given[o.Name] = l.line(e)
	return false
}

func (l *loader) line(e entry) string {
	return fmt.Sprintf("%s line %d", l.path, e.line)
}

// unknownEntries refuses keys of the file that name no option, and keys that
// stand twice.
func (l *loader) unknownEntries(options []Option, entries []entry) {
	seen := map[string]bool{}
	for _, e := range entries {
		known := slices.ContainsFunc(options, func(o Option) bool { return o.Name == e.name })
		switch {
		case e.name == optionConfig:
			l.refuse(Problem{Source: l.line(e), Message: "config: a file cannot name another"})
		case !known:
			l.refuse(Problem{Source: l.line(e), Message: e.name + ": there is no such option; the names are those of the flags of topgun serve"})
		case seen[e.name]:
			l.refuse(Problem{Source: l.line(e), Message: e.name + ": stands twice in the file"})
		}
		seen[e.name] = true
	}
}

// unknownVariables warns of variables that were surely meant for this program.
func (l *loader) unknownVariables(options []Option) {
	var names []string
	for name := range l.env {
		known := slices.ContainsFunc(options, func(o Option) bool { return o.Env == name })
		if strings.HasPrefix(name, "TOPGUN_") && !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		l.warnings = append(l.warnings, "environment variable "+name+" is not known to this version and has no effect")
	}
}

func (l *loader) refuse(p Problem) { l.problems = append(l.problems, p) }
