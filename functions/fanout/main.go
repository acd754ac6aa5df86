// Command fanout is the Lambda function that the table's stream triggers to
// broadcast what happened in rooms and to clean up ended connections.
package main

import "github.com/streamroom/streamroom/functions"

func main() { functions.Start(functions.Fanout) }
