# _plugins/jekyll_publish.rb: `JEKYLL_ENV=production jekyll build` puts the
# site live; `jekyll serve`, and builds for a look, do not.
#
# Jekyll copies all files that it does not know, so exclude deploy.yml, in
# _config.yml or in deploy.yml itself.
Jekyll::Hooks.register :site, :post_write do |site|
  next if Jekyll.env != "production" || site.config["serving"]
  # `deploy publish` that runs Jekyll does the rest itself.
  next if ENV["DEPLOY_BUILD"]

  system("deploy", "publish", site.dest, exception: true)
end
