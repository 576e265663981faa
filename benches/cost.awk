# Draws docs/cost.svg from the tables `in axum: each way to pass values` in BENCHMARKS.md.
# `benches/renew cost` runs it.

BEGIN {
    FS = " *[|] *"
    group = "in axum: each way to pass values"
}

$2 == group { unit = $3; next }
!/^\|/ { unit = "" }
unit == "instructions" && $2 !~ /^-/ { names[++rows] = $2; instructions[$2] = $3; added[$2] = $4 }
unit == "allocations" && $2 !~ /^-/ { allocations[$2] = $3; more[$2] = $4 }

function escaped(text) {
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    return text
}

function grouped(number) {
    return number < 1000 ? number : int(number / 1000) "," sprintf("%03d", number % 1000)
}

function plural(number, noun) {
    return grouped(number) " " noun (number == 1 ? "" : "s")
}

function text(class, x, y, content) {
    printf "  <text class=\"%s\" x=\"%d\" y=\"%d\">%s</text>\n", class, x, y, escaped(content)
}

END {
    if (rows < 2 || !(names[rows] in allocations)) {
        print "BENCHMARKS.md lacks the tables `" group "`: run benches/renew first" > "/dev/stderr"
        exit 1
    }
    for (row = 2; row <= rows; row++)
        if (added[names[row]] > largest) largest = added[names[row]]

    width = 760; left = 24; bar = 450; top = 96; step = 46
    height = top + (rows - 1) * step + 8
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-labelledby=\"title\" font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\" font-size=\"13\">\n", width, height, width, height
    print "  <title id=\"title\">What each way to pass values to a handler adds to a request in axum</title>"
    print "  <style>"
    print "    .card { fill: #ffffff; stroke: #d1d9e0 } .text { fill: #1f2328 } .muted { fill: #59636e }"
    print "    .heading { fill: #1f2328; font-size: 17px; font-weight: 600 } .other { fill: #8c959f } .this { fill: #0969da }"
    print "    @media (prefers-color-scheme: dark) {"
    print "      .card { fill: #0d1117; stroke: #3d444d } .text, .heading { fill: #f0f6fc } .muted { fill: #9198a1 }"
    print "      .other { fill: #6e7681 } .this { fill: #4493f8 }"
    print "    }"
    print "  </style>"
    printf "  <rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", width - 1, height - 1
    text("heading", left, 34, "What each way to pass values to a handler adds to a request in axum")
    text("muted", left, 56, "With a layer that does nothing, the request takes " plural(instructions[names[1]], "instruction") " and " plural(allocations[names[1]], "allocation") ". The others add:")
    for (row = 2; row <= rows; row++) {
        name = names[row]
        y = top + (row - 2) * step
        length_of_bar = added[name] / largest * bar
        text("text", left, y, name)
        printf "  <rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"14\" rx=\"2\"/>\n", name ~ /^RequestContextLayer/ ? "this" : "other", left, y + 8, length_of_bar
        text("muted", left + length_of_bar + 8, y + 20, plural(added[name], "instruction") ", " plural(more[name], "allocation"))
    }
    print "</svg>"
}
