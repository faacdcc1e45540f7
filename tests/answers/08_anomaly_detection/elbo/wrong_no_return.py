# expect: elbo-kl: end the function with return
def negative_elbo(x, decoded, mean, log_variance, likelihood="gaussian", sd=0.1):
    return None
