// Command connect is the Lambda function behind the route $connect: it verifies
// the token and stores the connection.
package main

import "github.com/streamroom/streamroom/functions"

func main() { functions.Start(functions.Connect) }
