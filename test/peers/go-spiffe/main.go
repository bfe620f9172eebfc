package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

func check(err error) {
	if err != nil {
		fmt.Println("FAILED", err)
		os.Exit(1)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client, err := workloadapi.New(ctx)
	check(err)
	defer client.Close()
	x, err := client.FetchX509Context(ctx)
	check(err)
	fmt.Println("x509", x.DefaultSVID().ID, len(x.DefaultSVID().Certificates), x.Bundles.Len())
	j, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: "orders"})
	check(err)
	fmt.Println("jwt", j.ID, j.Audience)
	v, err := client.ValidateJWTSVID(ctx, j.Marshal(), "orders")
	check(err)
	fmt.Println("validated", v.ID)
	_, err = client.ValidateJWTSVID(ctx, j.Marshal(), "others")
	fmt.Println("other audience:", err)
	b, err := client.FetchJWTBundles(ctx)
	check(err)
	fmt.Println("jwt bundles", b.Len())
	src, err := workloadapi.NewJWTSource(ctx)
	check(err)
	w, err := jwtsvid.ParseAndValidate(j.Marshal(), src, []string{"orders"})
	check(err)
	fmt.Println("locally validated", w.ID)
	xb, err := client.FetchX509Bundles(ctx)
	check(err)
	fmt.Println("x509 bundles", xb.Len())
}
