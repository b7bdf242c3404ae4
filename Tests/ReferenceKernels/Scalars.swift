import Foundation

func exponential(_ x: Double) -> Double { exp(x) }

func logarithm(_ x: Double) -> Double { log(x) }

func hyperbolicTangent(_ x: Double) -> Double { tanh(x) }

func errorFunction(_ x: Double) -> Double { erf(x) }

func power(_ base: Double, _ exponent: Int) -> Double { pow(base, Double(exponent)) }

func cosine(_ x: Double) -> Double { cos(x) }

func sine(_ x: Double) -> Double { sin(x) }
