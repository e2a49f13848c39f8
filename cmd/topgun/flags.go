package main

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/topgunbuild/topgun-go/internal/app/config"
)

// flagSet offers options to the parser as flags and keeps the texts it finds.
// It judges none of them: package config does, for all sources alike.
type flagSet struct {
	options []config.Option
	target  reflect.Value // of a struct with one field an option, in their order
}

func newFlagSet(options []config.Option) *flagSet {
	s := &flagSet{}
	var fields []reflect.StructField
	for _, o := range options {
		if o.NoFlag {
			continue
		}
		typ := reflect.TypeFor[texts]()
		if o.Switch() {
			typ = reflect.TypeFor[switchTexts]()
		}
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("Option%d", len(s.options)),
			Type: typ,
			Tag:  tag(o),
		})
		s.options = append(s.options, o)
	}
	s.target = reflect.New(reflect.StructOf(fields)).Elem()
	return s
}

// fields returns the struct that the parser fills.
func (s *flagSet) fields() any { return s.target.Addr().Interface() }

// given returns the texts of each flag that stood on the command line.
func (s *flagSet) given() map[string][]string {
	out := map[string][]string{}
	for i, o := range s.options {
		field := s.target.Field(i)
		for j := range field.Len() {
			out[o.Name] = append(out[o.Name], field.Index(j).String())
		}
	}
	return out
}

// tag describes o to the parser.
func tag(o config.Option) reflect.StructTag {
	notes := make([]string, 0, 3)
	if o.Kind() == "choice" {
		notes = append(notes, o.Allowed())
	}
	if o.Default != "" && !o.Switch() {
		notes = append(notes, "default "+o.Default)
	}
	notes = append(notes, "$"+o.Env)
	help := o.Help + " (" + strings.Join(notes, "; ") + ")"

	return reflect.StructTag(fmt.Sprintf("name:%q group:%q placeholder:%q help:%s",
		o.Name, o.Group, strings.ToUpper(o.Kind()), strconv.Quote(help)))
}

// texts are the values of one flag, in the order given.
type texts []string

// Decode takes one value from the command line.
func (t *texts) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("value", &text); err != nil {
		return err
	}
	*t = append(*t, text)
	return nil
}

// switchTexts are texts of a flag that may stand without a value.
type switchTexts []string

// IsBool tells the parser that no value needs to follow.
func (*switchTexts) IsBool() bool { return true }

// Decode takes the value after =, or "true" when there is none.
func (t *switchTexts) Decode(ctx *kong.DecodeContext) error {
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		*t = append(*t, "true")
		return nil
	}
	return (*texts)(t).Decode(ctx)
}
