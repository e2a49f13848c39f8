package sim

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// notice says by which test a mistake of package mistake is noticed.
type notice struct {
	mistake string
	pkg     string // directory below internal
	test    string
	says    string // part of what the test says
}

// notices name every mistake. What the simulation finds first depends on the seed,
// so any of its findings will do. Most are noticed by the simulation. Two need a
// world that it does not have:
//
//   - restamp-again makes a re-delivered write win over a later one of another
//     client. The simulation does not know under which timestamp a write of a
//     client with a wrong clock counts, so it leaves keys of such clients out.
//   - lose-tombstone needs a removal that arrives before its addition. Clients of
//     one server learn of a tag from that server, so it always has the addition.
var notices = []notice{
	{"ack-before-sync", "sim", "TestSeeds", "seed "},
	{"publish-before-sync", "sim", "TestSeeds", "seed "},
	{"arrival-wins", "sim", "TestSeeds", "seed "},
	{"skip-replay", "sim", "TestSeeds", "seed "},
	{"emit-again", "sim", "TestSeeds", "seed "},
	{"lose-deletion", "sim", "TestSeeds", "seed "},
	{"tie-by-arrival", "sim", "TestSeeds", "seed "},
	{"reclaim-unconfirmed", "sim", "TestSeeds", "seed "},
	{"no-horizon", "sim", "TestSeeds", "seed "},
	{"drop-readable-log", "sim", "TestSeeds", "seed "},
	{"lose-what-failed", "sim", "TestSeeds", "seed "},

	{"ack-before-sync", "grid/engine", "TestHistoriesKeepWhatWasAcknowledged", "is lost"},
	{"publish-before-sync", "grid/engine", "TestHistoriesKeepWhatWasAcknowledged", "published"},
	{"skip-replay", "grid/engine", "TestHistoriesKeepWhatWasAcknowledged", "is lost"},
	{"drop-readable-log", "grid/engine", "TestLogIsKeptUntilTheStoreHasTheRows", "no longer retained"},
	{"lose-what-failed", "grid/engine", "TestACheckpointIsTriedAgain", "the store holds"},

	{"restamp-again", "grid/records", "TestARestampIsRemembered", "came again"},
	{"restamp-again", "grid/records", "TestReplicaDoesWhatItsModelDoes", "before is answered with"},
	{"lose-tombstone", "grid/records", "TestARemovalBeforeItsAddition", "0 changes"},
	{"lose-tombstone", "grid/records", "TestReplicaDoesWhatItsModelDoes", "want 1"},
	{"arrival-wins", "grid/records", "TestTheWritersClockDecides", "want status 0"},
	{"emit-again", "grid/records", "TestRedeliveryEmitsNothing", "came again"},
	{"reclaim-unconfirmed", "app", "TestTagsAreForgottenWhenAllDevicesHaveConfirmed", "nobody has confirmed it"},
	{"no-horizon", "app", "TestAStaleDeviceCannotResurrect", "told to prune: false"},
	{"no-horizon", "grid/records", "TestTombstonesAreForgottenByAge", "2 changes"},
	{"tie-by-arrival", "grid/records", "TestTheWritersClockDecides", "want status 0"},
	{"lose-deletion", "grid/records", "TestReplicaDoesWhatItsModelDoes", "the key from"},

	{"query-forgets-before", "service/query", "TestLiveRowsAreTheQueryRunAgain", "the query gives"},
	{"query-window-shrinks", "service/query", "TestAWindowIsFilledAgain", "the query gives"},
	{"query-window-shrinks", "service/query", "TestAnAnswerIsNeverPartial", "although there are more"},
	{"query-groups-only-grow", "service/query", "TestLiveRowsAreTheQueryRunAgain", "the query gives"},
	{"query-scan-is-alone", "service/query", "TestLiveRowsAreTheQueryRunAgain", "the query gives"},
	{"query-resumes-late", "service/query", "TestResuming", "is sent"},
	{"query-resumes-late", "service/query", "TestLiveRowsAreTheQueryRunAgain", "the query gives"},
	{"query-skips-fence", "service/query", "TestAnAnswerHasTheSessionsOwnWrites", "the answer is"},
	{"ack-before-far", "grid/engine", "TestAGateHoldsWhatIsDurable", "want the durable batch held"},
	{"mark-before-rows", "storage/backing/writebehind", "TestFarNeverClaimsWhatIsNotThere", "near has held"},
	{"catch-up-keeps-deleted", "storage/backing/writebehind", "TestStagingIsBounded", "want"},
	{"no-fence", "storage/backing/postgres", "TestTheFenceIsInEveryTransaction", "want ErrLocked"},

	{"query-counts-shown", "service/query", "TestLiveRowsAreTheQueryRunAgain", "match"},
}

// TestMistakesAreNoticed builds the tests with a server that can be wrong on
// purpose, and demands that each mistake turns the tests that are there for it
// red, and that without a mistake the same programs are green.
func TestMistakesAreNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs other test programs")
	}
	programs := map[string]func() (string, error){}
	for _, n := range notices {
		if programs[n.pkg] == nil {
			out := filepath.Join(t.TempDir(), strings.ReplaceAll(n.pkg, "/", "-")+".test")
			programs[n.pkg] = sync.OnceValues(func() (string, error) {
				cmd := exec.CommandContext(t.Context(), "go", "test", "-tags", "mistakes", "-c", "-o", out, "../"+n.pkg)
				if said, err := cmd.CombinedOutput(); err != nil {
					return "", errors.Join(err, errors.New(string(said)))
				}
				return out, nil
			})
		}
	}
	run := func(t *testing.T, n notice) (said string, failed bool) {
		t.Helper()
		program, err := programs[n.pkg]()
		if err != nil {
			t.Fatalf("build the tests of %s: %v", n.pkg, err)
		}
		args := []string{"-test.run", "^" + n.test + "$"}
		switch n.pkg {
		case "sim":
			args = append(args, "-seeds=60")
			if n.mistake != "" {
				args[len(args)-1] = "-seeds=1000" // until the first finding
			}
		case "grid/records", "grid/engine":
			args = append(args, "-rapid.seed=1", "-rapid.nofailfile")
		}
		return runTest(t.Context(), t, program, n, args)
	}
	green := map[string]bool{}
	for _, n := range notices {
		t.Run(n.mistake+" by "+n.test, func(t *testing.T) {
			if !green[n.pkg+n.test] {
				right := n
				right.mistake = ""
				if said, failed := run(t, right); failed {
					t.Fatalf("fails without a mistake:\n%s", said)
				}
				green[n.pkg+n.test] = true
			}
			said, failed := run(t, n)
			if !failed {
				t.Fatal("the mistake is not noticed")
			}
			if !strings.Contains(said, n.says) {
				t.Errorf("the mistake is noticed as something else, no line says %q:\n%s", n.says, said)
			}
		})
	}
}

// runTest runs one test of a program in the directory of its package.
func runTest(ctx context.Context, t *testing.T, program string, n notice, args []string) (said string, failed bool) {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = filepath.Join("..", filepath.FromSlash(n.pkg))
	cmd.Env = append(os.Environ(), "TOPGUN_MISTAKE="+n.mistake)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", n.test, err)
	}
	return string(out), err != nil
}

// TestEveryMistakeHasItsTest reads the sources: every mistake that can be made
// is in the table above, under the name that the environment gives it, and both
// builds know the same ones.
func TestEveryMistakeHasItsTest(t *testing.T) {
	names := func(file, pattern string) []string {
		text, err := os.ReadFile(filepath.Join("..", "mistake", file))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return out
	}
	on := names("on.go", `(?m)^\t(\w+) += name ==`)
	if off := names("off.go", `(?m)^\t(\w+) += false$`); !slices.Equal(on, off) || len(on) == 0 {
		t.Errorf("built with mistakes: %v, without: %v", on, off)
	}
	var table []string
	for _, n := range notices {
		table = append(table, n.mistake)
	}
	slices.Sort(table)
	if got, want := slices.Compact(table), names("on.go", `name == "([a-z-]+)"`); !slices.Equal(got, want) {
		t.Errorf("the table names %v, there are %v", got, want)
	}
}
