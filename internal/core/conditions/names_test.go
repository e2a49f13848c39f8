package conditions

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// TestNamesFindWhatIsThere: with a filter and without, whatever was put and
// removed before, a name is found if and only if it is there.
func TestNamesFindWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var n names[int]
		there := map[string]*bucket[int]{}
		from := 0
		t.Repeat(map[string]func(*rapid.T){
			"put many": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 100, filterFrom}).Draw(t, "names") {
					name := strconv.Itoa(from)
					b := &bucket[int]{name: name}
					n.put(name, b)
					there[name] = b
					from++
				}
			},
			"remove many": func(t *rapid.T) {
				left := rapid.SampledFrom([]int{1, 100, filterFrom}).Draw(t, "names")
				for name := range there {
					if left--; left < 0 {
						break
					}
					n.remove(name)
					delete(there, name)
				}
			},
			"": func(t *rapid.T) {
				for i := rapid.IntRange(0, 8).Draw(t, "first"); i < from+10; i += 9 {
					name := strconv.Itoa(i)
					if got := n.find([]byte(name)); got != there[name] {
						t.Fatalf("%s: got %v, want %v", name, got, there[name])
					}
				}
			},
		})
	})
}

// TestAFilterAnswersForMost: of names that are not there the filter lets few
// through, and finding one among many makes no garbage.
func TestAFilterAnswersForMost(t *testing.T) {
	var n names[int]
	const many = 20_000
	for i := range many {
		n.put(strconv.Itoa(i), &bucket[int]{})
	}
	through := 0
	for i := range many {
		if !n.absent.says([]byte(strconv.Itoa(many + i))) {
			through++
		}
	}
	if through > many/20 {
		t.Errorf("%d of %d names that are not there are looked for", through, many)
	}
	v := value.Raw(value.AppendStr(nil, "a text that is longer than nothing"))
	if a := testing.AllocsPerRun(100, func() { n.visit(v, func(int) bool { return true }) }); a > 0 {
		t.Errorf("looking for a text makes %v objects", a)
	}
}
