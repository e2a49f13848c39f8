package config

import (
	"reflect"
	"testing"
	"time"
)

func TestLifetimesByMap(t *testing.T) {
	for text, want := range map[string][]MapSpan{
		"":                          nil,
		"a=1h":                      {{"a", time.Hour}},
		"a=1h, b-*=30m,*=1ms":       {{"a", time.Hour}, {"b-*", 30 * time.Minute}, {"*", time.Millisecond}},
		"a=876000h":                 {{"a", maxSpan}},
		"name with spaces and é=1s": {{"name with spaces and é", time.Second}},
	} {
		var got []MapSpan
		if err := (spans{to: &got}).set([]string{text}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"a", "a=", "=1h", "a=0", "a=-1h", "a=1", "a:b=1h", "a*b=1h", "a=876001h", "a=1h,,b=1h", "__topgun_devices=1h", "__topgun_*=1h"} {
		var got []MapSpan
		if err := (spans{to: &got}).set([]string{text}); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}
