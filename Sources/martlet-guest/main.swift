print("martlet-guest")
