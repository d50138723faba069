// Puts a job on the queue with one XADD and prints its text as it comes, with nothing but Go's standard library.
//
//	go run examples/go/submit.go "What is the capital of France?"
//
// REDIS_URL (redis://:PASSWORD@HOST:PORT) says where, MODEL whose queue; without MODEL the only one there is.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Event has the fields of an event that this program needs; others are skipped.
type Event struct {
	Status  string `json:"status"`
	Content string `json:"content"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Redis is one connection, one command at a time: enough for a producer.
type Redis struct {
	connection net.Conn
	reader     *bufio.Reader
}

func dial(address *url.URL) (*Redis, error) {
	host := address.Host
	if address.Port() == "" {
		host = net.JoinHostPort(address.Hostname(), "6379")
	}
	connection, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	redis := &Redis{connection, bufio.NewReader(connection)}
	if password, has := address.User.Password(); has {
		user := address.User.Username()
		if user == "" {
			user = "default"
		}
		if _, err := redis.command("AUTH", user, password); err != nil {
			return nil, err
		}
	}
	return redis, nil
}

func (redis *Redis) command(words ...string) (any, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(redis.connection, out.String()); err != nil {
		return nil, err
	}
	return redis.reply()
}

// reply reads Redis's protocol, version 2. nil is its null.
func (redis *Redis) reply() (any, error) {
	line, err := redis.reader.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("this is not Redis")
	}
	size, _ := strconv.Atoi(line[1:])
	switch line[0] {
	case '+', ':':
		return line[1:], nil
	case '-':
		return nil, errors.New(line[1:])
	case '$':
		if size < 0 {
			return nil, nil
		}
		data := make([]byte, size+2)
		_, err := io.ReadFull(redis.reader, data)
		return string(data[:size]), err
	case '*':
		if size < 0 {
			return nil, nil
		}
		values := make([]any, size)
		for n := range values {
			if values[n], err = redis.reply(); err != nil {
				return nil, err
			}
		}
		return values, nil
	}
	return nil, fmt.Errorf("this is not Redis: %q", line)
}

// queue returns the model whose queue to use: a mistyped one would be a stream that nobody reads.
func queue(redis *Redis) (string, error) {
	reply, err := redis.command("SMEMBERS", "pool:models")
	if err != nil {
		return "", err
	}
	wanted := os.Getenv("MODEL")
	models := []string{}
	for _, each := range reply.([]any) {
		models = append(models, each.(string))
	}
	for _, model := range models {
		if model == wanted || wanted == "" && len(models) == 1 {
			return model, nil
		}
	}
	return "", fmt.Errorf("MODEL must be one of: %s", strings.Join(models, ", "))
}

// follow prints a job's text from its event log until its end.
func follow(redis *Redis, log string) error {
	last := "0"
	for {
		// Works before the key exists. nil: nothing within five seconds; the job waits, or a long prompt is being read.
		reply, err := redis.command("XREAD", "COUNT", "100", "BLOCK", "5000", "STREAMS", log, last)
		if err != nil {
			return err
		}
		if reply == nil {
			continue
		}
		stream := reply.([]any)[0].([]any)
		for _, each := range stream[1].([]any) {
			entry := each.([]any)
			last = entry[0].(string)
			fields := entry[1].([]any)
			var event Event
			for n := 0; n < len(fields); n += 2 {
				if fields[n] == "e" {
					if err := json.Unmarshal([]byte(fields[n+1].(string)), &event); err != nil {
						return err
					}
				}
			}
			switch event.Status {
			case "token":
				fmt.Print(event.Content)
			case "done":
				fmt.Println()
				return nil
			case "error":
				return fmt.Errorf("%s: %s", event.Code, event.Message)
			case "cancelled":
				return errors.New("the job was cancelled")
			}
		}
	}
}

func run() error {
	place := os.Getenv("REDIS_URL")
	if place == "" {
		place = "redis://127.0.0.1:6379"
	}
	address, err := url.Parse(place)
	if err != nil {
		return err
	}
	redis, err := dial(address)
	if err != nil {
		return err
	}
	defer redis.connection.Close()
	model, err := queue(redis)
	if err != nil {
		return err
	}
	prompt := "안녕하세요"
	if len(os.Args) > 1 {
		prompt = os.Args[1]
	}
	body, err := json.Marshal(map[string]any{"prompt": prompt, "max_tokens": 64})
	if err != nil {
		return err
	}
	entry, err := redis.command("XADD", "pool:{"+model+"}:jobs:std", "*", "body", string(body))
	if err != nil {
		return err
	}
	// The job's default id; with a field `id` it would be that.
	return follow(redis, fmt.Sprintf("pool:{%s}:log:std-%s", model, entry))
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
