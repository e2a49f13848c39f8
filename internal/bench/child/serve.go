package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"strings"
)

// The commands that a child takes.
const (
	cmdTake    = "take"
	cmdCollect = "collect"
	cmdProfile = "profile" // followed by the name of a file
	cmdStop    = "profile-stop"
)

// reply is the answer to a command.
type reply struct {
	Figures
	Error string `json:"error,omitempty"`
}

// Serve is the child's side: it carries out run and takes commands from in until
// either ends, then ends the other. Nobody waits for the reading of in, which
// ends with the process.
func Serve(ctx context.Context, in io.Reader, out io.Writer, run func(ctx context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	commands := make(chan error, 1) // its one result
	go func() {
		defer stop()
		commands <- answer(in, out)
	}()
	err := run(ctx)
	select {
	case failed := <-commands:
		return errors.Join(err, failed)
	default:
		return err
	}
}

// answer carries out commands until in ends.
func answer(in io.Reader, out io.Writer) error {
	var profile *os.File
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		name, arg, _ := strings.Cut(lines.Text(), " ")
		var r reply
		var err error
		switch name {
		case cmdTake:
			r.Figures = Take()
		case cmdCollect:
			r.Figures = Collect()
		case cmdProfile:
			if profile, err = os.Create(arg); err == nil {
				err = pprof.StartCPUProfile(profile)
			}
		case cmdStop:
			pprof.StopCPUProfile()
			err = profile.Close()
		default:
			err = fmt.Errorf("unknown command %q", name)
		}
		if err != nil {
			r.Error = err.Error()
		}
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
	}
	return lines.Err()
}
