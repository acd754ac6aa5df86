// Command push is the Lambda function that notification events invoke to send Web Push to
// users who are offline.
package main

import "github.com/streamroom/streamroom/functions"

func main() { functions.Start(functions.Push) }
